"""The version of this package, also said in `hello`."""

VERSION = "0.1.0"
