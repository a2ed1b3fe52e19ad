package schemaregistry

import (
	"encoding/binary"
	"fmt"

	"millrace/connectors"
)

const (
	magic      = 0
	headerSize = 5
)

// appendHeader appends the magic byte and a schema id.
func appendHeader(b []byte, id int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, magic), uint32(id))
}

// readHeader splits a record into schema id and payload, which shares memory with data.
func readHeader(data []byte) (id int32, payload []byte, err error) {
	if len(data) < headerSize {
		return 0, nil, &connectors.DataError{Msg: fmt.Sprintf(
			"record of %d bytes is too short for a schema id: 5 bytes are needed; was it written with a schema registry?", len(data))}
	}
	if data[0] != magic {
		return 0, nil, &connectors.DataError{Msg: fmt.Sprintf(
			"unknown magic byte %d, want 0: the record was not written with a schema registry", data[0])}
	}
	return int32(binary.BigEndian.Uint32(data[1:])), data[headerSize:], nil
}

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
	if cap(b) == cap(a.free) { // it did not outgrow the chunk
		a.free = b[len(b):]
	}
	return b[:len(b):len(b)]
}
