package main

import (
	"errors"
	"sync"
	"syscall"
	"unsafe"
)

const onWindows = true

type handle = syscall.Handle

var errWrongSockets = errors.New("no such thing on Windows")

type channel struct{ in, out syscall.Handle }

const handleFlagInherit = 1

func newChannel(in, out uint32) (*channel, error) {
	// By their sign, where a handle has 64 bits.
	it := &channel{syscall.Handle(int32(in)), syscall.Handle(int32(out))}
	for _, each := range []syscall.Handle{it.in, it.out} {
		if err := syscall.SetHandleInformation(each, handleFlagInherit, 0); err != nil {
			return nil, err
		}
	}
	var data syscall.WSAData
	if err := syscall.WSAStartup(0x0202, &data); err != nil {
		return nil, err
	}
	var err error
	port, err = syscall.CreateIoCompletionPort(syscall.InvalidHandle, 0, 0, 0)
	if err == nil {
		go complete()
	}
	return it, err
}

func (it *channel) close() {
	syscall.CloseHandle(it.in)
	syscall.CloseHandle(it.out)
}

func (it *channel) write(packet []byte) error {
	var size uint32
	err := syscall.WriteFile(it.out, packet, &size, nil)
	if err == nil && int(size) != len(packet) {
		err = errors.New("half a frame was written")
	}
	return err
}

func (it *channel) read() ([]byte, []handle, error) {
	header := make([]byte, headerBytes)
	if err := it.readAll(header); err != nil {
		return nil, nil, err
	}
	size, err := checkHeader(header)
	if err != nil {
		return nil, nil, err
	}
	packet := append(header, make([]byte, size)...)
	return packet, nil, it.readAll(packet[headerBytes:])
}

// The end of the channel is the end also in the middle of a frame.
func (it *channel) readAll(to []byte) error {
	for len(to) > 0 {
		var size uint32
		err := syscall.ReadFile(it.in, to, &size, nil)
		if err == syscall.ERROR_BROKEN_PIPE || err == nil && size == 0 {
			return errEnd
		}
		if err != nil {
			return err
		}
		to = to[size:]
	}
	return nil
}

func closeAll([]handle) {}

var (
	port      syscall.Handle
	ws2       = syscall.NewLazyDLL("ws2_32.dll")
	wsaSocket = ws2.NewProc("WSASocketW")
)

const (
	fromProtocolInfo       = 0xffffffff // -1, as an int
	wsaFlagOverlapped      = 0x01
	wsaFlagNoHandleInherit = 0x80
)

type connection struct {
	socket    syscall.Handle
	mutex     sync.Mutex // so that no operation begins after cancel
	cancelled bool
}

// What waits for a completion. The system knows it by the address of its first member, and it stays
// where it is, as Go moves nothing that is not on a stack.
type operation struct {
	overlapped syscall.Overlapped
	buffer     syscall.WSABuf
	flags      uint32
	size       uint32
	err        error
	done       chan struct{}
}

func build(offer *frame, _ []handle) (client, error) {
	bytes := offer.fields[tagProtocolInfo]
	var info struct {
		_     [0]uint64 // aligned
		bytes [protocolInfoBytes]byte
	}
	copy(info.bytes[:], bytes)
	socket, _, err := wsaSocket.Call(fromProtocolInfo, fromProtocolInfo, fromProtocolInfo,
		uintptr(unsafe.Pointer(&info)), 0, wsaFlagOverlapped|wsaFlagNoHandleInherit)
	for each := range bytes { // they work once
		bytes[each] = 0
		info.bytes[each] = 0
	}
	it := &connection{socket: syscall.Handle(socket)}
	if it.socket == syscall.InvalidHandle {
		return nil, err
	}
	err = syscall.SetHandleInformation(it.socket, handleFlagInherit, 0)
	if err == nil && offer.fields[tagKind][0] == kindConnection {
		_, err = syscall.CreateIoCompletionPort(it.socket, port, 0, 0)
	}
	if err != nil {
		it.close()
		return nil, err
	}
	return it, nil
}

// complete hands every completion to whom it is for.
func complete() {
	for {
		var size uint32
		var key uintptr // for Go a *uint32; 64-bit Windows writes 8 bytes there all the same
		var overlapped *syscall.Overlapped
		err := syscall.GetQueuedCompletionStatus(port, &size, (*uint32)(unsafe.Pointer(&key)),
			&overlapped, syscall.INFINITE)
		if overlapped == nil {
			fail("the completion port: " + err.Error())
		}
		it := (*operation)(unsafe.Pointer(overlapped))
		it.size, it.err = size, err
		close(it.done)
	}
}

func (it *connection) close() { syscall.Closesocket(it.socket) }

func (it *connection) cancel() {
	it.mutex.Lock()
	defer it.mutex.Unlock()
	it.cancelled = true
	syscall.CancelIoEx(it.socket, nil)
}

func (it *connection) begin(what *operation, writes bool) error {
	it.mutex.Lock()
	defer it.mutex.Unlock()
	if it.cancelled {
		return errors.New("cancelled")
	}
	if writes {
		return syscall.WSASend(it.socket, &what.buffer, 1, nil, 0, &what.overlapped, nil)
	}
	return syscall.WSARecv(it.socket, &what.buffer, 1, nil, &what.flags, &what.overlapped, nil)
}

func (it *connection) run(data []byte, writes bool) (int, error) {
	what := &operation{done: make(chan struct{}),
		buffer: syscall.WSABuf{Len: uint32(len(data)), Buf: &data[0]}}
	// One that ends at once is told by the port as well.
	if err := it.begin(what, writes); err != nil && err != syscall.ERROR_IO_PENDING {
		return 0, err
	}
	<-what.done
	return int(what.size), what.err
}

func (it *connection) read(to []byte) (int, error) { return it.run(to, false) }

func (it *connection) write(data []byte) error {
	for len(data) > 0 {
		size, err := it.run(data, true)
		if err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}
