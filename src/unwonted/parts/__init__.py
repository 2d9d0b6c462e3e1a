"""What a column can hold, as a model sees it: named outcomes, and a scaled value beside them."""

from unwonted.parts.axis import Axis
from unwonted.parts.categorical import CategoricalPart
from unwonted.parts.cyclic import CyclicPart
from unwonted.parts.numeric import NumericPart
from unwonted.parts.outcomes import INFINITE, NOVEL, VALUE

__all__ = ["INFINITE", "NOVEL", "VALUE", "Axis", "CategoricalPart", "CyclicPart", "NumericPart", "Part"]

Part = CategoricalPart | NumericPart | CyclicPart
