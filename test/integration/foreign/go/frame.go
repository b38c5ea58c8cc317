// Frames of the channel protocol, from handlers/PROTOCOL.md and nothing else of this project.
//
// What is shared with Windows takes little of the standard library: all of it is compiled anew for
// that system, and `fmt`, `os` and `net` would be most of the time.

package main

import (
	"errors"
	"unicode/utf8"
)

const (
	headerBytes  = 16
	mostBodySize = 16384 // to the handler

	typeHello  = 0x01
	typeAck    = 0x02
	typeNack   = 0x03
	typeDone   = 0x04
	typeRetire = 0x05
	typeOffer  = 0x11
	typeCancel = 0x12
	typeDrain  = 0x13
	typeLimits = 0x81

	tagNonce        = 0x0001
	tagPid          = 0x0002
	tagCapacity     = 0x0003
	tagSdk          = 0x8004
	tagReason       = 0x0005
	tagStatus       = 0x0006
	tagBytesIn      = 0x8007
	tagBytesOut     = 0x8008
	tagService      = 0x000a
	tagKind         = 0x000b
	tagPeer         = 0x000c
	tagLocal        = 0x000d
	tagAcceptedUs   = 0x000e
	tagId           = 0x000f
	tagProtocolInfo = 0x0010
	tagHandshakeMs  = 0x0016
	tagStopMs       = 0x0017
	tagReuse        = 0x0018
	tagPeerCount    = 0x8011
	tagVia          = 0x8012
	tagPath         = 0x8013
	tagPeerUid      = 0x8014
	tagPeerPid      = 0x8015

	kindConnection = 1

	reasonRetire = 1
	reasonBusy   = 2
	reasonRefuse = 3

	protocolInfoBytes = 628
)

type frame struct {
	kind       byte
	connection uint32
	fields     map[uint16][]byte // of those that are known in such a frame
}

func put(to []byte, size int, value uint64) []byte {
	for shift := 8 * (size - 1); shift >= 0; shift -= 8 {
		to = append(to, byte(value>>shift))
	}
	return to
}

func get(from []byte) (value uint64) {
	for _, each := range from {
		value = value<<8 | uint64(each)
	}
	return value
}

func fieldBytes(tag uint16, value []byte) []byte {
	return append(put(put(nil, 2, uint64(tag)), 2, uint64(len(value))), value...)
}

func fieldNumber(tag uint16, size int, value uint64) []byte {
	return fieldBytes(tag, put(nil, size, value))
}

func encode(kind byte, connection uint32, fields ...[]byte) []byte {
	var body []byte
	for _, each := range fields {
		body = append(body, each...)
	}
	header := append([]byte("BATN\x01"), kind, 0, 0)
	header = put(put(header, 4, uint64(connection)), 4, uint64(len(body)))
	return append(header, body...)
}

// checkHeader gives back how many bytes of body follow.
func checkHeader(header []byte) (int, error) {
	if string(header[:4]) != "BATN" {
		return 0, errors.New("wrong magic")
	}
	if header[4] != 1 {
		return 0, errors.New("wrong version")
	}
	if header[6] != 0 || header[7] != 0 {
		return 0, errors.New("flags that are not 0")
	}
	size := get(header[12:16])
	if size > mostBodySize {
		return 0, errors.New("a body that is too long")
	}
	return int(size), nil
}

// checkPacket looks whether it is one whole frame, with a right header.
func checkPacket(packet []byte) error {
	if len(packet) < headerBytes {
		return errors.New("a packet that is no frame")
	}
	size, err := checkHeader(packet[:headerBytes])
	if err == nil && len(packet) != headerBytes+size {
		err = errors.New("a packet that is not one whole frame")
	}
	return err
}

// decode takes a frame that checkPacket would take. Of a type that may be skipped it gives back nothing.
func decode(packet []byte) (*frame, error) {
	it := &frame{kind: packet[5], connection: uint32(get(packet[8:12]))}
	known := map[uint16]rule{}
	aboutConnection := true
	switch it.kind {
	case typeOffer:
		known = offerRules
	case typeCancel:
	case typeDrain:
		aboutConnection = false
	case typeLimits:
		known = limitsRules
		aboutConnection = false
	default:
		if it.kind&0x80 != 0 {
			return nil, nil
		}
		return nil, errors.New("a type that is unknown, or not for a handler")
	}
	if aboutConnection != (it.connection != 0) {
		return nil, errors.New("wrong connection number")
	}
	return it, it.decodeFields(packet[headerBytes:], known)
}

func (it *frame) decodeFields(body []byte, known map[uint16]rule) error {
	it.fields = map[uint16][]byte{}
	for len(body) > 0 {
		if len(body) < 4 || len(body)-4 < int(get(body[2:4])) {
			return errors.New("a field past the end")
		}
		tag, size := uint16(get(body[:2])), int(get(body[2:4]))
		value := body[4 : 4+size]
		body = body[4+size:]
		check, isKnown := known[tag]
		if !isKnown {
			if tag&0x8000 != 0 {
				continue
			}
			return errors.New("an unknown tag")
		}
		if _, repeated := it.fields[tag]; repeated {
			return errors.New("a field twice")
		}
		if !check.isRight(value) {
			return errors.New("a field's value that is out of range")
		}
		it.fields[tag] = value
	}
	for tag, check := range known {
		if _, isThere := it.fields[tag]; check.required && !isThere {
			return errors.New("a required field is missing")
		}
	}
	return nil
}

type rule struct {
	required bool
	isRight  func(value []byte) bool
}

func number(size int, least, most uint64) func([]byte) bool {
	return func(value []byte) bool {
		return len(value) == size && get(value) >= least && get(value) <= most
	}
}

func text(least, most int) func([]byte) bool {
	return func(value []byte) bool {
		if len(value) < least || len(value) > most || !utf8.Valid(value) {
			return false
		}
		for _, each := range value {
			if each == 0 {
				return false
			}
		}
		return true
	}
}

func isAddress(value []byte) bool {
	return len(value) == 7 && value[0] == 4 || len(value) == 19 && value[0] == 6
}

const any64 = ^uint64(0)

var offerRules = map[uint16]rule{
	tagService:    {true, text(1, 255)},
	tagKind:       {true, number(1, 1, 3)},
	tagPeer:       {false, isAddress},
	tagLocal:      {false, isAddress},
	tagAcceptedUs: {true, number(8, 0, any64)},
	tagId:         {true, number(8, 0, any64)},
	tagPeerCount:  {false, number(4, 1, any64)},
	tagVia:        {false, isAddress},
	tagPath:       {false, text(1, 108)},
	tagPeerUid:    {false, number(4, 0, any64)},
	tagPeerPid:    {false, number(4, 1, any64)},
}

var limitsRules = map[uint16]rule{
	tagCapacity:    {true, number(4, 1, 65535)},
	tagHandshakeMs: {true, number(4, 0, any64)},
	tagStopMs:      {true, number(4, 0, any64)},
	tagReuse:       {true, number(4, 0, any64)},
}

func init() {
	if onWindows {
		offerRules[tagProtocolInfo] = rule{true, func(value []byte) bool {
			return len(value) == protocolInfoBytes
		}}
	}
}
