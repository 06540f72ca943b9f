"""What the author of a plugin imports: all that is promised to stay. `durun/README.md` has a whole example."""

from durun.errors import SecretUnavailable
from durun.plugins.api import Action, Answer, Call, Done, Failed, InDoubt, NotDone, NothingHappened, Output, Unknown
from durun.secrets.api import Provider, ProviderContext

__all__ = [
    "Action",
    "Answer",
    "Call",
    "Done",
    "Failed",
    "InDoubt",
    "NotDone",
    "NothingHappened",
    "Output",
    "Provider",
    "ProviderContext",
    "SecretUnavailable",
    "Unknown",
]
