package peers

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Key is the API key of requests that only nodes of a cluster send each other. No Kafka API has it and ApiVersions does
// not show it.
const Key int16 = 31000

// Version is the version of these requests that this release speaks. Another one is refused.
const Version int16 = 0

// Kind says what a Request is for.
type Kind int8

const (
	// KindHello asks a node who it is: see Hello.
	KindHello Kind = iota + 1
	// KindJoin asks the controller for a place in the quorum: see Join.
	KindJoin
	// KindRaft carries messages of the metadata quorum: see Raft.
	KindRaft
	// KindForward carries a client's request to the controller: see Forward.
	KindForward
)

// Request is any request between nodes; Body has the layout of its Kind.
//
//	request  = kind int8, body
//	response = error code int16, body
type Request struct {
	Kind Kind
	Body []byte
}

// Response answers a Request. Code is a Kafka error code.
type Response struct {
	Code int16
	Body []byte
}

var (
	_ kmsg.Request  = (*Request)(nil)
	_ kmsg.Response = (*Response)(nil)
)

func (*Request) Key() int16                  { return Key }
func (*Request) MaxVersion() int16           { return Version }
func (*Request) SetVersion(int16)            {}
func (*Request) GetVersion() int16           { return Version }
func (*Request) IsFlexible() bool            { return false }
func (*Request) ResponseKind() kmsg.Response { return new(Response) }
func (r *Request) AppendTo(b []byte) []byte  { return append(append(b, byte(r.Kind)), r.Body...) }
func (*Response) Key() int16                 { return Key }
func (*Response) MaxVersion() int16          { return Version }
func (*Response) SetVersion(int16)           {}
func (*Response) GetVersion() int16          { return Version }
func (*Response) IsFlexible() bool           { return false }
func (*Response) RequestKind() kmsg.Request  { return new(Request) }
func (r *Response) AppendTo(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(r.Code)), r.Body...)
}

var errShort = errors.New("peers: message ends inside a field")

// ReadFrom reads a request; its Body is part of b.
func (r *Request) ReadFrom(b []byte) error {
	if len(b) < 1 {
		return errShort
	}
	r.Kind, r.Body = Kind(b[0]), b[1:]
	return nil
}

// ReadFrom reads a response; its Body is part of b.
func (r *Response) ReadFrom(b []byte) error {
	if len(b) < 2 {
		return errShort
	}
	r.Code, r.Body = int16(binary.BigEndian.Uint16(b)), b[2:]
	return nil
}

// ParseRequest reads the frame of a Request: a request header of version 1 and the request. What it returns is part of
// frame.
func ParseRequest(frame []byte) (correlation int32, r *Request, err error) {
	if len(frame) < 10 {
		return 0, nil, errShort
	}
	if v := int16(binary.BigEndian.Uint16(frame[2:])); v != Version {
		return 0, nil, fmt.Errorf("peers: a node sends version %d of the requests between nodes, this release speaks %d", v, Version)
	}
	correlation = int32(binary.BigEndian.Uint32(frame[4:]))
	skip := max(0, int(int16(binary.BigEndian.Uint16(frame[8:])))) // the client id; -1 is null
	if len(frame) < 10+skip {
		return 0, nil, errShort
	}
	r = new(Request)
	return correlation, r, r.ReadFrom(frame[10+skip:])
}
