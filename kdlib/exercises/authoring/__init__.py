"""What authors make exercises of: probes, pieces of answers, and mistakes in their many forms."""
