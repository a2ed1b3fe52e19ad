package commitlog

import (
	"math/bits"
	"sync"
)

// Read buffers come in powers of two from 4 KiB to 8 MiB; larger ones are made and dropped.
const (
	minBufferBits = 12
	maxBufferBits = 23
)

var bufferPools [maxBufferBits - minBufferBits + 1]sync.Pool // of *[]byte

// getBuffer returns n bytes of memory; what is in them is arbitrary.
func getBuffer(n int) *[]byte {
	class := max(bits.Len(uint(max(n, 1)-1)), minBufferBits) - minBufferBits
	if class >= len(bufferPools) {
		b := make([]byte, n)
		return &b
	}
	if p, ok := bufferPools[class].Get().(*[]byte); ok {
		*p = (*p)[:n]
		return p
	}
	b := make([]byte, n, 1<<(class+minBufferBits))
	return &b
}

func putBuffer(p *[]byte) {
	if c := cap(*p); bits.OnesCount(uint(c)) == 1 && c >= 1<<minBufferBits && c <= 1<<maxBufferBits {
		bufferPools[bits.Len(uint(c))-1-minBufferBits].Put(p)
	}
}

// Slice is bytes read from a log, in pooled memory.
type Slice struct {
	Bytes  []byte
	buffer *[]byte
}

// Release gives the memory back; Bytes must not be used any more. The zero Slice may be released too, and a Slice twice.
func (s *Slice) Release() {
	if s.buffer != nil {
		putBuffer(s.buffer)
	}
	*s = Slice{}
}
