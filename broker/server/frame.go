package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"millrace/broker/api"
	"millrace/broker/peers"
)

// errFrame is why a connection whose bytes are no Kafka request is closed.
type errFrame struct {
	size int32
	hint string
}

func (e *errFrame) Error() string {
	s := fmt.Sprintf("frame of %d bytes", e.size)
	if e.hint != "" {
		s += ": " + e.hint
	}
	return s
}

// frameReader reads the frames of one connection.
//
//	size int32 | api key int16 | version int16 | correlation id int32 | client id ... | body
//
// A size is checked before anything is allocated for it, and memory for a large frame grows with the bytes that arrive, so
// that a client cannot claim by a few bytes what it never sends.
type frameReader struct {
	r      *bufio.Reader
	max    int32
	memory *requestMemory // shared by all connections

	// Of the frame that next returned last:
	pooled bool
	held   int64 // taken from memory
}

// smallFrame bounds requests other than Produce. They are lists of names and numbers, which take many times their size when
// decoded, and no client sends larger ones.
const smallFrame = 16 << 20

// minFrame is the least a request header takes: key, version, correlation id, null client id.
const minFrame = 10

// next reads a frame, which is to be given back with release; io.EOF says that the client is gone between two of them. It
// waits for memory until ctx ends.
func (f *frameReader) next(ctx context.Context) ([]byte, error) {
	head, err := f.r.Peek(4)
	if err != nil {
		if len(head) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	size := int32(binary.BigEndian.Uint32(head))
	if size < minFrame || size > f.max {
		return nil, &errFrame{size, hint(head)}
	}
	if head, err = f.r.Peek(6); err != nil {
		return nil, err
	}
	key, _ := api.PeekKey(head[4:])
	if _, err = f.r.Discard(4); err != nil {
		return nil, err
	}
	f.pooled = api.Pipelines(key)
	if !f.pooled && key != peers.Key && size > smallFrame {
		return nil, &errFrame{size, fmt.Sprintf("more than %d bytes for a request that carries no records (key %d)", smallFrame, key)}
	}
	if f.held, err = f.memory.take(ctx, int64(size)); err != nil {
		return nil, err
	}
	frame, err := f.read(int(size), f.pooled)
	if err != nil {
		f.memory.give(f.held)
	}
	return frame, err
}

// release gives back the frame that next returned last, once its request has begun: only a frame that Pipelines may be
// reused then, but the others do not count for long either.
func (f *frameReader) release(frame []byte) {
	f.memory.give(f.held)
	if f.pooled {
		putFrame(frame)
	}
}

// growFrom is the size above which a frame's memory is taken as its bytes arrive.
const growFrom = 1 << 20

func (f *frameReader) read(size int, pooled bool) ([]byte, error) {
	var frame []byte
	if pooled {
		frame = takeFrame(min(size, growFrom))
	} else {
		frame = make([]byte, min(size, growFrom))
	}
	n, err := io.ReadFull(f.r, frame)
	for err == nil && n < size {
		bigger := make([]byte, min(size, 4*n))
		copy(bigger, frame)
		if pooled {
			putFrame(frame)
		}
		frame = bigger
		var m int
		m, err = io.ReadFull(f.r, frame[n:])
		n += m
	}
	if err != nil {
		if pooled {
			putFrame(frame)
		}
		return nil, err
	}
	return frame, nil
}

// Frames are pooled in sizes of powers of four, from 4 KiB to 1 MiB; larger ones are rare and left to the garbage collector.
const (
	leastFrame = 12 // 1<<12 bytes
	frameSizes = 5
)

var framePools [frameSizes]sync.Pool

// sizeClass is the pool whose frames hold n bytes, frameSizes if none does.
func sizeClass(n int) int {
	return max(0, (bits.Len(uint(max(n, 1)-1))-leastFrame+1)/2)
}

func takeFrame(n int) []byte {
	class := sizeClass(n)
	if class >= frameSizes {
		return make([]byte, n)
	}
	if b, ok := framePools[class].Get().(*[]byte); ok {
		return (*b)[:n]
	}
	return make([]byte, n, 1<<(leastFrame+2*class))
}

func putFrame(b []byte) {
	b = b[:cap(b)]
	if class := sizeClass(len(b)); class < frameSizes && len(b) == 1<<(leastFrame+2*class) {
		framePools[class].Put(&b)
	}
}

// hint guesses what speaks to a Kafka listener that is no Kafka client, from its first four bytes.
func hint(head []byte) string {
	switch string(head) {
	case "GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PATC", "CONN", "PRI ":
		return "an HTTP request; this listener speaks the Kafka protocol"
	}
	if head[0] == 0x16 && head[1] == 3 {
		return "a TLS hello; this listener is plaintext (set security.protocol=PLAINTEXT in the client)"
	}
	return ""
}
