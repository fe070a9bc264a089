"""Protobuf messages of the embedded node. `*_pb2.py` are generated: `make proto` (the command line is at the head of each .proto)."""
