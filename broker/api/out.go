package api

import (
	"encoding/binary"
	"net"
)

// Out collects answer frames: its own bytes, with slices of record bytes spliced in between so that they are written
// without being copied. The zero value is ready to use.
type Out struct {
	own     []byte
	splices []splice
	spliced int // total bytes of splices
	frame   int // where the frame being written starts in own
	before  int // spliced bytes before that frame
}

// splice says that data comes after the first at bytes of own.
type splice struct {
	at   int
	data []byte
}

// Bytes returns the own bytes, to be appended to and handed back with SetBytes.
func (o *Out) Bytes() []byte { return o.own }

// SetBytes takes the result of appending to Bytes.
func (o *Out) SetBytes(b []byte) { o.own = b }

// Splice puts data at the current end. It must stay unchanged until the answer is released.
func (o *Out) Splice(data []byte) {
	if len(data) > 0 {
		o.splices = append(o.splices, splice{len(o.own), data})
		o.spliced += len(data)
	}
}

// Begin starts the frame of one answer.
func (o *Out) Begin() {
	o.frame, o.before = len(o.own), o.spliced
	o.own = append(o.own, 0, 0, 0, 0)
}

// End fills in the size of the frame that Begin started.
func (o *Out) End() {
	size := len(o.own) - o.frame - 4 + o.spliced - o.before
	binary.BigEndian.PutUint32(o.own[o.frame:], uint32(size))
}

// Len returns the number of bytes collected.
func (o *Out) Len() int { return len(o.own) + o.spliced }

// AppendBuffers appends the collected bytes, in order, to dst.
func (o *Out) AppendBuffers(dst net.Buffers) net.Buffers {
	at := 0
	for _, s := range o.splices {
		if s.at > at {
			dst = append(dst, o.own[at:s.at])
			at = s.at
		}
		dst = append(dst, s.data)
	}
	if at < len(o.own) {
		dst = append(dst, o.own[at:])
	}
	return dst
}

// maxIdleOut is the largest own buffer that Reset keeps.
const maxIdleOut = 64 << 10

// Reset forgets everything collected and drops a buffer that grew large.
func (o *Out) Reset() {
	own := o.own[:0]
	if cap(own) > maxIdleOut {
		own = nil
	}
	clear(o.splices)
	*o = Out{own: own, splices: o.splices[:0]}
}
