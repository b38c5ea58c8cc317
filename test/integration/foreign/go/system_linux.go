package main

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

const onWindows = false

type handle = int

var errWrongSockets = errors.New("an OFFER with something else than one socket")

type channel struct{ descriptor int }

func newChannel(in, out uint32) (*channel, error) {
	if in != out {
		return nil, errors.New("BATON_CHANNEL: two descriptors")
	}
	if _, err := syscall.Getsockname(int(in)); err != nil {
		return nil, err
	}
	syscall.CloseOnExec(int(in))
	return &channel{int(in)}, nil
}

func (it *channel) close() { syscall.Shutdown(it.descriptor, syscall.SHUT_RDWR) }

func (it *channel) write(packet []byte) error {
	for {
		// Not Sendto, which cannot do without an address.
		_, err := syscall.SendmsgN(it.descriptor, packet, nil, nil, syscall.MSG_NOSIGNAL)
		if err != syscall.EINTR {
			return err
		}
	}
}

func (it *channel) read() ([]byte, []handle, error) {
	packet := make([]byte, headerBytes+mostBodySize)
	control := make([]byte, 1024)
	for {
		size, controlSize, flags, _, err := syscall.Recvmsg(it.descriptor, packet, control,
			syscall.MSG_CMSG_CLOEXEC)
		if err == syscall.EINTR || err == syscall.ECONNRESET {
			continue // the latter comes once, before what had been written
		}
		if err != nil {
			return nil, nil, err
		}
		attached, err := descriptors(control[:controlSize])
		if err == nil && flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
			err = errors.New("a packet that was cut")
		}
		if err == nil && size == 0 && len(attached) == 0 {
			return nil, nil, errEnd
		}
		if err == nil {
			err = checkPacket(packet[:size])
		}
		if err != nil {
			closeAll(attached)
			return nil, nil, err
		}
		return packet[:size], attached, nil
	}
}

// descriptors gives back all of them, also when something else is wrong.
func descriptors(control []byte) (all []handle, err error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	for each := range messages {
		some, wrong := syscall.ParseUnixRights(&messages[each])
		if wrong != nil {
			err = wrong
		}
		all = append(all, some...)
	}
	return all, err
}

func closeAll(attached []handle) {
	for _, each := range attached {
		syscall.Close(each)
	}
}

type connection struct{ net.Conn }

func build(offer *frame, attached []handle) (client, error) {
	wrong := len(attached) != 1
	for _, each := range attached {
		if _, err := syscall.GetsockoptInt(each, syscall.SOL_SOCKET, syscall.SO_TYPE); err != nil {
			wrong = true
		}
	}
	if wrong {
		closeAll(attached)
		return nil, errWrongSockets
	}
	if kind := offer.fields[tagKind][0]; kind != kindConnection {
		return refused(attached[0]), nil
	}
	// The file is to be closed at once: FileConn has a copy of the descriptor.
	file := os.NewFile(uintptr(attached[0]), "client")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return connection{conn}, nil
}

func (it connection) close()  { it.Close() }
func (it connection) cancel() { it.SetDeadline(time.Unix(1, 0)) }

func (it connection) read(to []byte) (int, error) {
	size, err := it.Read(to)
	if err == io.EOF {
		err = nil
	}
	return size, err
}

func (it connection) write(data []byte) error {
	_, err := it.Write(data)
	return err
}

// What is offered and not taken.
type refused handle

func (it refused) close()                   { syscall.Close(int(it)) }
func (it refused) cancel()                  {}
func (it refused) read([]byte) (int, error) { return 0, nil }
func (it refused) write([]byte) error       { return nil }
