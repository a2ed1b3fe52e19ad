package peers

import (
	"encoding/binary"

	"millrace/broker/metadata"
)

// Integers in bodies are varints, except that ids are 16 bytes; strings and bytes have their length before them.

// Hello is what a node says of itself, asking and answering.
type Hello struct {
	Node      metadata.BrokerID
	Directory metadata.DirectoryID
	// Cluster is the cluster id; empty while the node has none.
	Cluster string
	// Formed: the node has a metadata log. If not, it is new or has lost it.
	Formed bool
	// Leader is the controller as far as the node knows, or NoBroker.
	Leader metadata.BrokerID
	// Address is host:port of the node's inter-broker listener, for those who do not know it yet.
	Address string
	// Members are those of the quorum, if the node is formed and has caught up that far.
	Members []metadata.Member
}

func (h *Hello) Append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(h.Node))
	b = append(b, h.Directory[:]...)
	b = appendString(b, h.Cluster)
	b = appendBool(b, h.Formed)
	b = binary.AppendVarint(b, int64(h.Leader))
	b = appendString(b, h.Address)
	b = binary.AppendUvarint(b, uint64(len(h.Members)))
	for _, m := range h.Members {
		b = binary.AppendVarint(b, int64(m.Node))
		b = append(b, m.Directory[:]...)
		b = binary.AppendUvarint(b, m.RaftID)
		b = appendBool(b, m.Voter)
	}
	return b
}

// Read decodes what Append made.
func (h *Hello) Read(b []byte) error {
	r := reader{b: b}
	h.Node, h.Directory, h.Cluster, h.Formed, h.Leader = r.broker(), r.id(), string(r.bytes()), r.bool(), r.broker()
	h.Address = string(r.bytes())
	for n := r.count(); n > 0 && r.err == nil; n-- {
		h.Members = append(h.Members, metadata.Member{Node: r.broker(), Directory: r.id(), RaftID: r.uvarint(), Voter: r.bool()})
	}
	return r.end()
}

// Join asks the controller to make a node a member of the quorum: a learner, which may become a voter. The answer is a
// Hello with the members.
type Join struct {
	Node      metadata.BrokerID
	Directory metadata.DirectoryID
	Cluster   string // empty: not known yet
	// Voter: the node's configuration names it among the voters.
	Voter bool
}

func (j *Join) Append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(j.Node))
	b = append(b, j.Directory[:]...)
	return appendBool(appendString(b, j.Cluster), j.Voter)
}

// Read decodes what Append made.
func (j *Join) Read(b []byte) error {
	r := reader{b: b}
	j.Node, j.Directory, j.Cluster, j.Voter = r.broker(), r.id(), string(r.bytes()), r.bool()
	return r.end()
}

// Raft carries messages of go.etcd.io/raft from one member to another. The answer has no body.
type Raft struct {
	From     metadata.BrokerID
	Cluster  string
	Messages [][]byte
}

func (m *Raft) Append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(m.From))
	b = appendString(b, m.Cluster)
	b = binary.AppendUvarint(b, uint64(len(m.Messages)))
	for _, msg := range m.Messages {
		b = append(binary.AppendUvarint(b, uint64(len(msg))), msg...)
	}
	return b
}

// Read decodes what Append made; the messages are part of b.
func (m *Raft) Read(b []byte) error {
	r := reader{b: b}
	m.From, m.Cluster = r.broker(), string(r.bytes())
	for n := r.count(); n > 0 && r.err == nil; n-- {
		m.Messages = append(m.Messages, r.bytes())
	}
	return r.end()
}

// Forward carries a client's request, without its header, to the controller.
type Forward struct {
	From metadata.BrokerID
	Key  int16
	// Version is that of the request; Body its bytes.
	Version int16
	Body    []byte
	// Listener is the one that the client came in on: answers name addresses of that one.
	Listener string
}

func (f *Forward) Append(b []byte) []byte {
	b = binary.AppendVarint(b, int64(f.From))
	b = binary.AppendVarint(b, int64(f.Key))
	b = binary.AppendVarint(b, int64(f.Version))
	b = appendString(b, f.Listener)
	return append(binary.AppendUvarint(b, uint64(len(f.Body))), f.Body...)
}

// Read decodes what Append made; Body is part of b.
func (f *Forward) Read(b []byte) error {
	r := reader{b: b}
	f.From, f.Key, f.Version = r.broker(), int16(r.varint(-1<<15, 1<<15-1)), int16(r.varint(-1<<15, 1<<15-1))
	f.Listener, f.Body = string(r.bytes()), r.bytes()
	return r.end()
}

// Forwarded answers a Forward: the response without its header, and the index of the metadata log that shows what was done.
type Forwarded struct {
	Index uint64
	Body  []byte
}

func (f *Forwarded) Append(b []byte) []byte {
	b = binary.AppendUvarint(b, f.Index)
	return append(binary.AppendUvarint(b, uint64(len(f.Body))), f.Body...)
}

// Read decodes what Append made; Body is part of b.
func (f *Forwarded) Read(b []byte) error {
	r := reader{b: b}
	f.Index, f.Body = r.uvarint(), r.bytes()
	return r.end()
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// reader reads fields off the front of b; after the first error every read returns zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail() { r.err, r.b = errShort, nil }

func (r *reader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint(low, high int64) int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || v < low || v > high {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) broker() metadata.BrokerID { return metadata.BrokerID(r.varint(-1<<31, 1<<31-1)) }
func (r *reader) bytes() []byte             { return r.take(r.uvarint()) }
func (r *reader) bool() bool                { v := r.take(1); return v != nil && v[0] == 1 }

func (r *reader) id() (id [16]byte) {
	copy(id[:], r.take(16))
	return id
}

// count reads a list's length; each element takes at least one byte, so what is left bounds it.
func (r *reader) count() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return n
}

// end reports what went wrong; bytes of a later release behind the last field are not an error.
func (r *reader) end() error { return r.err }
