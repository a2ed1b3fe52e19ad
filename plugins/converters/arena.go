package converters

// chunkSize is what an arena takes from the heap at once: a hundred records of the usual size share one allocation.
const chunkSize = 16 << 10

// An arena hands out memory for output, many pieces from one allocation. Its zero value is ready.
type arena struct{ free []byte }

// begin returns an empty slice to append to.
func (a *arena) begin() []byte {
	if cap(a.free) < chunkSize/16 {
		a.free = make([]byte, 0, chunkSize)
	}
	return a.free[:0]
}

// end takes back what begin returned, grown by appending, and returns it for good. Appending to the result copies it.
func (a *arena) end(b []byte) []byte {
	if cap(b) != cap(a.free) { // it outgrew the chunk and has memory of its own
		return b[:len(b):len(b)]
	}
	a.free = b[len(b):]
	return b[:len(b):len(b)]
}
