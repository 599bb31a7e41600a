"""The errors a user can meet.

DFFError                   one clear line on stderr, exit code 1
├── InputError             something about what was given to read
│   ├── VideoOpenError     the source cannot be opened or holds no picture
│   └── VideoDecodeError   the source broke after it was opened
├── OutputError            something about what was asked to be written
├── ModelError             an unknown model, or one that cannot do what was asked
│   └── WeightsError       a checkpoint that is missing, broken or of another network
├── SettingError           a setting out of its range, or one that contradicts another: wrong usage, exit code 2
├── DataError              a data set or annotation file that is wrong or broken
└── ShapeError             arrays that do not fit together (a caller's mistake)
"""


class DFFError(Exception):
    """Anything that ends a run for a reason the user can act on. Its text is one line: what, found, wanted."""


class InputError(DFFError):
    """What was given to read is not usable."""


class VideoOpenError(InputError):
    """The source cannot be opened, or holds no picture."""


class VideoDecodeError(InputError):
    """The source broke after it was opened; what was decoded before is good."""


class OutputError(DFFError):
    """What was asked to be written cannot be written."""


class ModelError(DFFError):
    """The model is unknown, or cannot do what was asked of it."""


class WeightsError(ModelError):
    """The weights are missing, broken, or belong to another network."""


class SettingError(DFFError):
    """A setting is out of its range, or contradicts another."""


class DataError(DFFError):
    """A data set or annotation file is wrong or broken."""


class ShapeError(DFFError, ValueError):
    """Arrays that do not fit together."""
