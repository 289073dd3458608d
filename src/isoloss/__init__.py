"""The front door of isoloss: every public name, each loaded at its first use.

The names are listed once, in ``__init__.pyi``, for the type checker and for the loader alike.
"""

import lazy_loader

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
