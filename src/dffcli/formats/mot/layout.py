"""Names within a MOTChallenge sequence folder."""

from __future__ import annotations

SEQUENCE_FILE = "seqinfo.ini"
LABELS_FILE = "labels.txt"
UNUSED = "unused"
IMAGES_FOLDER = "img1"

_CHALLENGE = (
    "person|person on vehicle|car|bicycle|motorcycle|non-motorised vehicle|static person|distractor|occluder|"
    "occluder on the ground|full occluder|reflection"
)
CHALLENGE_CLASSES = dict(enumerate(_CHALLENGE.split("|"), start=1))
"""What the classes of MOTChallenge's own ground truth are."""
