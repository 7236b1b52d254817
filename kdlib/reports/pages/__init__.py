"""The parts of the report's page, and the page of a comparison."""
