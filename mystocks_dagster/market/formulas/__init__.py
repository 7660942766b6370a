"""The language of 通达信's formulas: its tree, parser, functions, and their evaluation on the bars of many symbols."""
