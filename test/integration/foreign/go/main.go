// A handler in Go: the drill of test/golden/wire/conversations.txt, for four clients at a time. It was
// written from handlers/PROTOCOL.md alone, by somebody who had not looked at the SDKs, and has its own
// idea of everything. system_linux.go and system_windows.go are what differs.
package main

import (
	"errors"
	"strconv"
	"sync"
	"syscall"
)

const capacity = 4

// What a system brings: onWindows; newChannel(in, out uint32); of a channel read() (packet, attached,
// error), write(packet) error and close(); build(offer, attached) (client, error), closeAll(attached).
type client interface {
	// read gives back 0 bytes at the end.
	read(to []byte) (int, error)
	// write writes all of it, or fails.
	write(data []byte) error
	// cancel makes both return soon; from another thread, at any time before close.
	cancel()
	close()
}

var errEnd = errors.New("the end of the channel")

func say(text string) {
	// One line in one call. That it cannot be written, as the supervisor has gone, is no fault of ours;
	// Go does not die of SIGPIPE by a plain write.
	syscall.Write(syscall.Stderr, []byte("go: "+text+"\n"))
}

func fail(text string) {
	say(text)
	syscall.Exit(1)
}

type handler struct {
	channel *channel

	mutex  sync.Mutex // of what follows; a frame is written under it, too
	held   map[uint32]client
	answer byte // REASON of the NACK that the next OFFER gets, or 0
	drain  bool
	failed bool // exit with 1
	served sync.WaitGroup
}

func main() {
	in, out, nonce := takeEnvironment()
	it := &handler{held: map[uint32]client{}}
	var err error
	if it.channel, err = newChannel(in, out); err != nil {
		fail(err.Error())
	}
	// If this cannot be written the channel has ended, and to read it says so.
	it.send(encode(typeHello, 0, fieldBytes(tagNonce, nonce),
		fieldNumber(tagPid, 4, uint64(syscall.Getpid())),
		fieldNumber(tagCapacity, 4, capacity), fieldBytes(tagSdk, []byte("a page and Go"))))
	for err == nil {
		err = it.step()
	}
	if err != errEnd {
		say("breach: " + err.Error())
		it.failed = true
		it.channel.close()
	}
	it.exit()
}

// exit waits for the connections that are held.
func (it *handler) exit() {
	it.served.Wait()
	if it.failed {
		syscall.Exit(1)
	}
	syscall.Exit(0)
}

func takeEnvironment() (in, out uint32, nonce []byte) {
	values := map[string]string{}
	for _, name := range []string{"BATON_PROTOCOL", "BATON_CHANNEL", "BATON_NONCE"} {
		values[name], _ = syscall.Getenv(name)
		syscall.Unsetenv(name)
	}
	if values["BATON_CHANNEL"] == "" {
		fail("to be started by batond, with handoff = channel")
	}
	speaksOne := false
	for _, version := range split(values["BATON_PROTOCOL"]) {
		speaksOne = speaksOne || version == "1"
	}
	if !speaksOne {
		fail("BATON_PROTOCOL does not have version 1")
	}
	ends := split(values["BATON_CHANNEL"])
	if len(ends) != 2 {
		fail("BATON_CHANNEL is not IN,OUT")
	}
	for number, to := range []*uint32{&in, &out} {
		value, err := strconv.ParseUint(ends[number], 10, 32)
		if err != nil {
			fail("BATON_CHANNEL: " + err.Error())
		}
		*to = uint32(value)
	}
	text := values["BATON_NONCE"]
	for at := 0; len(text) == 32 && at < 32; at += 2 {
		value, err := strconv.ParseUint(text[at:at+2], 16, 8)
		if err != nil {
			fail("BATON_NONCE: " + err.Error())
		}
		nonce = append(nonce, byte(value))
	}
	if len(nonce) != 16 {
		fail("BATON_NONCE is not 32 hexadecimal digits")
	}
	return in, out, nonce
}

func split(text string) (words []string) {
	from := 0
	for at := 0; at <= len(text); at++ {
		if at == len(text) || text[at] == ',' {
			words = append(words, text[from:at])
			from = at + 1
		}
	}
	return words
}

// A write that fails means the end of the channel, which the next read tells.
func (it *handler) send(packet []byte) error {
	it.mutex.Lock()
	defer it.mutex.Unlock()
	return it.channel.write(packet)
}

// step reads one frame and obeys it.
func (it *handler) step() error {
	packet, attached, err := it.channel.read()
	if err != nil {
		return err
	}
	frame, err := decode(packet)
	if err == nil && (frame == nil || frame.kind != typeOffer) && len(attached) > 0 {
		err = errors.New("a socket with a frame that is no OFFER")
	}
	if err != nil {
		closeAll(attached)
		return err
	}
	switch {
	case frame == nil: // was to be skipped
	case frame.kind == typeOffer:
		return it.take(frame, attached)
	case frame.kind == typeCancel:
		it.mutex.Lock()
		if held, isHeld := it.held[frame.connection]; isHeld {
			delete(it.held, frame.connection)
			held.cancel()
		}
		it.mutex.Unlock()
	case frame.kind == typeDrain:
		it.drain = true
		go it.exit() // and go on reading: a CANCEL may come
	}
	return nil
}

func (it *handler) take(offer *frame, attached []handle) error {
	number := offer.connection
	it.mutex.Lock()
	_, inUse := it.held[number]
	count := len(it.held)
	it.mutex.Unlock()
	if inUse || count >= capacity || it.drain {
		closeAll(attached)
		return errors.New("an OFFER of a number in use, beyond the capacity, or after DRAIN")
	}
	client, err := build(offer, attached)
	if err == errWrongSockets {
		return err // closed already
	}
	if err != nil {
		say("cannot build the socket: " + err.Error())
		it.failed = true
		it.send(encode(typeNack, number, fieldNumber(tagReason, 1, reasonRetire)))
		return nil
	}
	it.mutex.Lock()
	reason := it.answer
	it.answer = 0
	it.mutex.Unlock()
	if offer.fields[tagKind][0] != kindConnection {
		reason = reasonRefuse
	}
	if reason != 0 {
		client.close()
		it.send(encode(typeNack, number, fieldNumber(tagReason, 1, uint64(reason))))
		return nil
	}
	it.mutex.Lock()
	it.held[number] = client
	it.mutex.Unlock()
	it.served.Add(1)
	if it.send(encode(typeAck, number)) != nil {
		client.close() // unread: another process has it
		it.served.Done()
		return nil
	}
	go it.serve(number, client)
	return nil
}

func (it *handler) serve(number uint32, client client) {
	defer it.served.Done()
	bytesIn, bytesOut, status := it.drill(client)
	it.mutex.Lock()
	if _, isHeld := it.held[number]; !isHeld {
		status = 1 // cancelled
	}
	delete(it.held, number) // out of reach of a CANCEL before it is closed
	it.mutex.Unlock()
	client.close()
	it.send(encode(typeDone, number, fieldNumber(tagStatus, 1, status),
		fieldNumber(tagBytesIn, 8, bytesIn), fieldNumber(tagBytesOut, 8, bytesOut)))
}

// drill sends back line for line, and does what the line says.
func (it *handler) drill(client client) (bytesIn, bytesOut, status uint64) {
	buffer := make([]byte, 65536)
	var rest []byte
	for {
		size, err := client.read(buffer)
		if err != nil || size == 0 {
			return bytesIn, bytesOut, 0
		}
		bytesIn += uint64(size)
		rest = append(rest, buffer[:size]...)
		whole := 0 // bytes of lines that can be sent back
		for at, each := range rest {
			if each != '\n' {
				continue
			}
			if status = it.obey(string(rest[whole:at])); status != 0 {
				break
			}
			whole = at + 1
		}
		if whole > 0 {
			if client.write(rest[:whole]) != nil {
				return bytesIn, bytesOut, status
			}
			bytesOut += uint64(whole)
			rest = append([]byte(nil), rest[whole:]...)
		}
		if status != 0 {
			return bytesIn, bytesOut, status
		}
	}
}

// obey gives back the STATUS that the line ends its connection with, or 0.
func (it *handler) obey(line string) (status uint64) {
	reasons := map[string]byte{"nack retire": reasonRetire, "nack busy": reasonBusy,
		"nack refuse": reasonRefuse}
	if reason := reasons[line]; reason != 0 {
		it.mutex.Lock()
		it.answer = reason
		it.mutex.Unlock()
	} else if line == "retire" {
		it.send(encode(typeRetire, 0))
	} else if len(line) > 5 && (line[:5] == "fail " || line[:5] == "exit ") {
		if value, err := strconv.ParseUint(line[5:], 10, 8); err == nil && line[:5] == "exit " {
			syscall.Exit(int(value))
		} else if err == nil {
			return value
		}
	}
	return 0
}
