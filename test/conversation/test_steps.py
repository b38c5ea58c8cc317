"""PROTOCOL.md's *Writing a handler, step by step*, and not one check more: it holds all conversations
that are for everybody, and with what its drill can do those that need that (POSIX)."""

import os
import socket
import struct
import unittest

import recipe
import test_handlers
from recipe import CANCEL, DRAIN, HEADER, NEEDED, OFFER, SIZES, Breach

CAN = "again nack retire".split()


class Steps(recipe.Recipe):
    def take_apart(self, frame, descriptors, flags):
        if len(frame) < HEADER.size or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise Breach("step 6: cut")
        magic, version, kind, flags, number, length = HEADER.unpack_from(frame)
        if (magic, version, flags, length) != (b"BATN", 1, 0, len(frame) - HEADER.size):
            raise Breach("step 6: the header")
        if kind != OFFER and descriptors:
            raise Breach("step 6: a descriptor")
        if kind not in (OFFER, CANCEL, DRAIN):
            if not kind & 0x80:
                raise Breach("step 6: the type")
            return kind, 0, {}, None
        fields = self.walk(frame[HEADER.size :], SIZES if kind == OFFER else {})
        if kind != OFFER:
            return kind, number, fields, None
        if not NEEDED <= set(fields) or fields[0x0B] not in (b"\1", b"\2", b"\3"):
            raise Breach("step 7: a field is missing, or the KIND is none")
        if len(descriptors) != 1:
            raise Breach("step 9: descriptors")
        return kind, number, fields, socket.socket(fileno=os.dup(descriptors[0]))

    @staticmethod
    def walk(body, known):
        fields, at = {}, 0
        while at < len(body):
            if len(body) - at < 4:
                raise Breach("step 7: no field")
            tag, size = struct.unpack_from("!HH", body, at)
            at += 4 + size
            if at > len(body):
                raise Breach("step 7: past the body")
            if tag in known:
                fields[tag] = body[at - size : at]
            elif not tag & 0x8000:
                raise Breach("step 7: the tag")
        return fields


def main():
    try:
        return Steps().run()
    except Breach:
        return 1


class Recipe(test_handlers.Case):
    def test_step_by_step(self):
        names = self.hold(test_handlers.Forked, main, 1, CAN)
        self.assertGreater(len(names), 60)


if __name__ == "__main__":
    unittest.main()
