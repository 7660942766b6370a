"""What the program says, in Chinese: one JSON file per part of the program, and how a text finds its translation."""
