"""What stands where on the street, in the street frame: one list for the scene and the truth."""

from dataclasses import dataclass

GREY = (0.18, 0.19, 0.2)
WHITE = (0.75, 0.75, 0.74)
SILVER = (0.55, 0.56, 0.57)
RED = (0.35, 0.02, 0.02)
BLUE = (0.03, 0.07, 0.22)
BEIGE = (0.40, 0.36, 0.28)


@dataclass(frozen=True)
class ParkedCar:
    """A car; an oncoming one faces against x."""

    id: str
    x: float
    y: float
    is_oncoming: bool
    style: str
    colour: tuple[float, float, float]
    plate: str


@dataclass(frozen=True)
class LitterPile:
    """A heap (nine bags, four boxes) or a group (two bags, a box, three bottles)."""

    id: str
    kind: str
    x: float
    y: float
    seed: int
    size_m: float


PARKED_CARS = (
    ParkedCar("legal-00", -7, -4.55, False, "sedan", BLUE, "AB 204 CD"),
    ParkedCar("legal-01", 5, -4.5, False, "hatch", SILVER, "KD 318 AF"),
    ParkedCar("legal-02", 23, -4.55, False, "sedan", RED, "GE 552 BB"),
    ParkedCar("parking-1", 38.5, -4.45, False, "sedan", WHITE, "MH 731 CE"),
    ParkedCar("legal-03", 65, -4.5, False, "hatch", BEIGE, "FA 190 DC"),
    ParkedCar("legal-04", 71, -4.6, False, "sedan", SILVER, "CB 871 EA"),
    ParkedCar("legal-05", 83, -4.5, False, "sedan", WHITE, "LK 413 AB"),
    ParkedCar("legal-06", 101, -4.5, False, "hatch", GREY, "NA 220 HH"),
    ParkedCar("legal-07", -1, 4.55, True, "sedan", WHITE, "DA 615 GB"),
    ParkedCar("legal-08", 11, 4.5, True, "hatch", BLUE, "EF 127 CA"),
    ParkedCar("legal-09", 29, 4.55, True, "sedan", SILVER, "HC 948 DA"),
    ParkedCar("legal-10", 53, 4.5, True, "hatch", WHITE, "BM 336 FE"),
    ParkedCar("legal-11", 59, 4.6, True, "sedan", BEIGE, "AG 502 KB"),
    ParkedCar("legal-12", 77, 4.5, True, "sedan", RED, "CE 689 AD"),
    ParkedCar("legal-13", 89, 4.55, True, "hatch", SILVER, "FD 274 LA"),
    ParkedCar("legal-14", 107, 4.5, True, "sedan", WHITE, "GB 811 CC"),
)
LITTER = (
    LitterPile("litter-1", "heap", 16.5, -4.45, 1, 2.4),
    LitterPile("litter-2", "heap", 42.5, 4.5, 2, 2.4),
    LitterPile("litter-3", "group", 31.0, -4.4, 1, 1.3),
    LitterPile("litter-4", "group", 21.5, 4.4, 2, 1.3),
)
FIRE_ID = "fire-1"
FIRE_XY = (51.5, -4.35)
FIRE_SIZE = 1.4
BIN_ID = "bin-1"
BIN_XY = (12.5, -6.4)
FIRE_LANE_X = (33.5, 43.5)
FIRE_LANE_KERB_Y = -5.45
TREES_XY = (
    (8.5, -8.6),
    (57.5, -8.6),
    (78, -8.6),
    (95, -8.6),
    (17, 8.6),
    (50, 8.6),
    (67, 8.6),
    (85, 8.6),
    (103, 8.6),
    (-10, 8.6),
    (-14, -8.6),
)
