"""fiscotool: deploy, watch, break and judge FISCO BCOS chains.

Importing the package is light on purpose: it loads neither click, requests, web3 nor paramiko.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
