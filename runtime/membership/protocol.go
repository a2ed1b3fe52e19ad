package membership

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"millrace/runtime/assign"
)

// The versions of the bytes, which the group's protocol chooses.
const (
	versionEager       = 0
	versionCooperative = 1
	versionSessioned   = 2
)

// The names of the group's protocols.
const (
	protocolEager       = "default"
	protocolCooperative = "compatible"
	protocolSessioned   = "sessioned"
)

// protocolType is that of all groups of workers.
const protocolType = "connect"

// A Metadata is what a member tells when it joins.
//
//	version int16 | url string | config-offset int64 | since version 1: allocation bytes (a Share), -1 for none
type Metadata struct {
	Version      int16
	URL          string
	ConfigOffset int64
	// Allocation is the work that the member has; nil says nothing.
	Allocation *Share
}

// A Share is what a member is told when the group has decided.
//
//	version int16 | error int16 | leader string | leader-url string | config-offset int64 | assigned array
//	since version 1: revoked array, -1 for none | delay int32 (ms)
//
// The arrays have {connector string, tasks array of int32}; task -1 is the connector itself. Since version 1, assigned is only what is
// new; before, it is everything.
type Share struct {
	Version           int16
	Error             int16
	Leader, LeaderURL string
	ConfigOffset      int64
	Assigned, Revoked assign.Work
	Delay             time.Duration
}

// errConfigMismatch is the error of a Share whose leader has not read what a member has.
const errConfigMismatch = 1

// itself stands for the connector among its tasks.
const itself = -1

// Append adds the bytes of m.
func (m *Metadata) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(m.Version))
	b = appendString(b, m.URL)
	b = binary.BigEndian.AppendUint64(b, uint64(m.ConfigOffset))
	if m.Version == versionEager {
		return b
	}
	if m.Allocation == nil {
		return binary.BigEndian.AppendUint32(b, math.MaxUint32)
	}
	at := len(b)
	b = m.Allocation.Append(append(b, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(b[at:], uint32(len(b)-at-4))
	return b
}

// Append adds the bytes of s.
func (s *Share) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(s.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(s.Error))
	b = appendString(b, s.Leader)
	b = appendString(b, s.LeaderURL)
	b = binary.BigEndian.AppendUint64(b, uint64(s.ConfigOffset))
	b = appendWork(b, s.Assigned)
	if s.Version == versionEager {
		return b
	}
	b = appendWork(b, s.Revoked)
	return binary.BigEndian.AppendUint32(b, uint32(int32(min(s.Delay.Milliseconds(), math.MaxInt32))))
}

func appendString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

func appendWork(b []byte, w assign.Work) []byte {
	ids := make(map[string][]int)
	for _, c := range w.Connectors {
		ids[c] = append(ids[c], itself)
	}
	for _, t := range w.Tasks {
		ids[t.Connector] = append(ids[t.Connector], t.ID)
	}
	names := make([]string, 0, len(ids))
	for name := range ids {
		names = append(names, name)
	}
	slices.Sort(names)
	b = binary.BigEndian.AppendUint32(b, uint32(len(names)))
	for _, name := range names {
		b = appendString(b, name)
		b = binary.BigEndian.AppendUint32(b, uint32(len(ids[name])))
		for _, id := range ids[name] {
			b = binary.BigEndian.AppendUint32(b, uint32(int32(id)))
		}
	}
	return b
}

// ParseMetadata reads what a member told.
func ParseMetadata(b []byte) (Metadata, error) {
	r := reader{b: b}
	m := Metadata{Version: r.int16(), URL: r.text(), ConfigOffset: r.int64()}
	if m.Version > versionEager {
		if n := r.int32(); n >= 0 {
			if inner := r.take(int(n)); r.err == nil && n > 0 {
				s, err := ParseShare(inner)
				if err != nil {
					return m, fmt.Errorf("allocation: %w", err)
				}
				m.Allocation = &s
			}
		}
	}
	return m, r.end("metadata", m.Version)
}

// ParseShare reads what a member was told.
func ParseShare(b []byte) (Share, error) {
	r := reader{b: b}
	s := Share{Version: r.int16(), Error: r.int16(), Leader: r.text(), LeaderURL: r.text(), ConfigOffset: r.int64()}
	s.Assigned = r.work()
	if s.Version > versionEager {
		s.Revoked = r.work()
		s.Delay = time.Duration(r.int32()) * time.Millisecond
	}
	return s, r.end("assignment", s.Version)
}

var errShort = errors.New("the bytes end too early")

// A reader reads fields until the first mistake, which it keeps. Its lengths are bounded by the bytes that are there.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err, r.b = err, nil
	}
}

func (r *reader) end(what string, version int16) error {
	// Fields that a newer version has behind ours are passed over.
	if r.err == nil && version < 0 {
		r.err = fmt.Errorf("version %d", version)
	}
	if r.err != nil {
		return fmt.Errorf("bytes of a worker group's %s: %w", what, r.err)
	}
	return nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail(errShort)
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// text reads a string; -1, a null, is taken as empty.
func (r *reader) text() string {
	n := r.int16()
	if n == -1 {
		return ""
	}
	return string(r.take(int(n)))
}

func (r *reader) work() assign.Work {
	var w assign.Work
	for n := r.count(6); n > 0 && r.err == nil; n-- { // a name's length and a number of tasks at least
		name := r.text()
		for k := r.count(4); k > 0 && r.err == nil; k-- {
			switch id := r.int32(); {
			case id == itself:
				w.Connectors = append(w.Connectors, name)
			case id < 0:
				r.fail(fmt.Errorf("task %d of connector %q", id, name))
			default:
				w.Tasks = append(w.Tasks, assign.Task{Connector: name, ID: int(id)})
			}
		}
	}
	slices.Sort(w.Connectors)
	slices.SortFunc(w.Tasks, assign.CompareTasks)
	return w
}

// count reads the length of an array whose elements have at least size bytes; a null is an empty one.
func (r *reader) count(size int) int {
	n := int(r.int32())
	if n == -1 {
		return 0
	}
	if n < 0 || n > len(r.b)/size {
		r.fail(errShort)
		return 0
	}
	return n
}

// offered are the protocols of a value of connect.protocol, the preferred first, with the version of their bytes.
func offered(connectProtocol string) []protocol {
	all := []protocol{{protocolSessioned, versionSessioned}, {protocolCooperative, versionCooperative}, {protocolEager, versionEager}}
	switch strings.ToLower(connectProtocol) {
	case "eager":
		return all[2:]
	case "compatible":
		return all[1:]
	}
	return all
}

type protocol struct {
	name    string
	version int16
}
