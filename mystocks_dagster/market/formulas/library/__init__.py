"""The functions of the language as data, one module for each group of 通达信's manual."""
