"""The catalogue of indicators: each is a 通达信 formula with typed parameters, named columns and a source."""
