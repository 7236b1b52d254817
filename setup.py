"""What pyproject.toml cannot say: a wheel has the chapters in it, for `kdlib start`."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithChapters(build_py):
    """Copies the chapters beside the module that reads them; a checkout has them in chapters/."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        inside = Path(self.build_lib, "kdlib", "exercises", "notebooks", "chapters")
        self.mkpath(str(inside))
        for chapter in Path("chapters").glob("[0-9][0-9]_*.py"):
            self.copy_file(str(chapter), str(inside / chapter.name))


setup(cmdclass={"build_py": BuildWithChapters})
