"""Do the packages that others use agree with what this peer made by hand? They must be installed."""

import os
import unittest

import capnp as real_capnp
import google_crc32c
import numpy as np
import zstandard
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

