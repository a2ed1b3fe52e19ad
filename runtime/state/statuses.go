package state

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"millrace/offsets/connectjson"
	"millrace/offsets/topiclog"
)

// A Status is the actual state of a connector or task.
type Status struct {
	State      string
	Trace      string // "" is null
	WorkerID   string
	Generation int32
	Version    *string
}

// A Topic is the record of an active topic: which task used it first, and when.
type Topic struct {
	Name       string
	Connector  string
	Task       int
	Discovered int64 // ms since the epoch
}

// Statuses is the status topic. Writes show at once and reach the topic in their order; nobody waits for them. It is safe
// for concurrent use.
type Statuses struct {
	log  Log
	slog *slog.Logger
	me   string

	order sync.Mutex // taken before mu

	mu      sync.Mutex
	entries map[string]*entry
	// pending counts own writes without an answer; written is closed when there are none and somebody waits.
	pending int
	written chan struct{}
	// tasks and topics index the entries that are not removed, by connector.
	tasks  map[string]map[int]Status
	topics map[string]map[string]Topic
}

// An entry is what is known of one key. Own writes show before they come back from the log, and other workers write too, so
// that what is read counts only if it is newer than the last own write.
type entry struct {
	status  *Status // connectors only; tasks and topics are in their index
	pending int     // own writes without an answer
	written int64   // offset of the newest own write
	own     []byte  // its value
	// late is the newest record read while own writes were pending.
	late *topiclog.Record
}

// OpenStatuses reads the log to its end. me is this worker's id.
func OpenStatuses(ctx context.Context, open Opener, me string, log *slog.Logger) (*Statuses, error) {
	s := &Statuses{
		slog: log, me: me,
		entries: make(map[string]*entry),
		tasks:   make(map[string]map[int]Status),
		topics:  make(map[string]map[string]Topic),
	}
	var err error
	if s.log, err = open(ctx, s.apply); err != nil {
		return nil, err
	}
	return s, nil
}

// Run tails the log until ctx ends.
func (s *Statuses) Run(ctx context.Context) error { return s.log.Run(ctx) }

// ReadToEnd returns when everything stored before was applied.
func (s *Statuses) ReadToEnd(ctx context.Context) error { return s.log.ReadToEnd(ctx) }

// Flush returns when no write is under way.
func (s *Statuses) Flush(ctx context.Context) error {
	s.mu.Lock()
	if s.pending == 0 {
		s.mu.Unlock()
		return nil
	}
	if s.written == nil {
		s.written = make(chan struct{})
	}
	written := s.written
	s.mu.Unlock()
	select {
	case <-written:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close writes what is under way and releases the log.
func (s *Statuses) Close() { s.log.Close() }

// Connector returns the status of a connector, nil if there is none.
func (s *Statuses) Connector(name string) *Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[connectorStatusPrefix+name]; e != nil {
		return e.status
	}
	return nil
}

// Task returns the status of a task, nil if there is none.
func (s *Statuses) Task(connector string, task int) *Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.tasks[connector][task]; ok {
		return &st
	}
	return nil
}

// Tasks returns the numbers of the tasks of a connector that have a status, sorted.
func (s *Statuses) Tasks(connector string) []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.tasks[connector]))
}

// Topics returns the active topics of a connector, sorted by name.
func (s *Statuses) Topics(connector string) []Topic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.topics[connector]), func(a, b Topic) int { return cmp.Compare(a.Name, b.Name) })
}

// HasTopic reports whether a topic of a connector is active.
func (s *Statuses) HasTopic(connector, topic string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.topics[connector][topic]
	return ok
}

// PutConnector sets the status of a connector; nil removes it.
func (s *Statuses) PutConnector(name string, st *Status) {
	s.put(connectorStatusPrefix+name, statusValue(st))
}

// PutTask sets the status of a task; nil removes it.
func (s *Statuses) PutTask(connector string, task int, st *Status) {
	s.put(taskStatusPrefix+connector+"-"+strconv.Itoa(task), statusValue(st))
}

// PutTopic remembers an active topic.
func (s *Statuses) PutTopic(t Topic) {
	s.put(topicKey(t.Connector, t.Name), encode(connectjson.Object{{Name: "topic", Value: connectjson.Object{
		{Name: "name", Value: t.Name}, {Name: "connector", Value: t.Connector},
		{Name: "task", Value: t.Task}, {Name: "discoverTimestamp", Value: t.Discovered}}}}))
}

// RemoveTopic forgets an active topic.
func (s *Statuses) RemoveTopic(connector, topic string) { s.put(topicKey(connector, topic), nil) }

func topicKey(connector, topic string) string {
	return topicStatusPrefix + topic + topicStatusInfix + connector
}

// Superseded reports whether another worker has written a newer status than one of this generation would be: a worker
// that was away does not overwrite it.
func (s *Statuses) Superseded(st *Status, generation int32) bool {
	return st != nil && st.WorkerID != s.me && st.Generation > generation
}

func statusValue(st *Status) []byte {
	if st == nil {
		return nil
	}
	var trace any
	if st.Trace != "" {
		trace = st.Trace
	}
	return encode(connectjson.Object{
		{Name: "state", Value: st.State}, {Name: "trace", Value: trace}, {Name: "worker_id", Value: st.WorkerID},
		{Name: "generation", Value: st.Generation}, {Name: "version", Value: st.Version}})
}

func (s *Statuses) put(key string, value []byte) {
	r := topiclog.Record{Key: []byte(key), Value: value}
	// The topic gets writes in the order in which they show. The answer may come before AppendAsync returns.
	s.order.Lock()
	defer s.order.Unlock()
	s.mu.Lock()
	e := s.entryLocked(key)
	s.setLocked(key, e, r)
	e.own = value
	e.pending++
	s.pending++
	s.mu.Unlock()
	s.log.AppendAsync(r, func(r topiclog.Record, err error) { s.answered(key, r, err) })
}

func (s *Statuses) answered(key string, r topiclog.Record, err error) {
	if err != nil {
		s.slog.Warn("status was not written", "key", key, "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entryLocked(key)
	e.pending--
	if s.pending--; s.pending == 0 && s.written != nil {
		close(s.written)
		s.written = nil
	}
	if err == nil {
		e.written = max(e.written, r.Offset)
	}
	if late := e.late; e.pending == 0 && late != nil {
		e.late = nil
		s.readLocked(key, e, *late)
	}
}

func (s *Statuses) apply(r topiclog.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entryLocked(string(r.Key))
	if e.pending > 0 {
		e.late = &r
		return
	}
	s.readLocked(string(r.Key), e, r)
}

// readLocked takes a record from the log. A tombstone that is the newest of its key ends the entry.
func (s *Statuses) readLocked(key string, e *entry, r topiclog.Record) {
	if r.Offset > e.written {
		if s.lateLocked(key, e, r) {
			return
		}
		s.setLocked(key, e, r)
	}
	if r.Value == nil && r.Offset >= e.written {
		delete(s.entries, key)
	}
}

// lateLocked reports whether r is from a worker that had lost its group when it wrote: of a generation before that in which this
// worker took over. Our own status is written again, so that it is the last one for all.
func (s *Statuses) lateLocked(key string, e *entry, r topiclog.Record) bool {
	if e.own == nil || r.Value == nil || strings.HasPrefix(key, topicStatusPrefix) {
		return false
	}
	theirs, err := parseStatus(r.Value)
	if err != nil || theirs.WorkerID == s.me {
		return false
	}
	ours, err := parseStatus(e.own)
	if err != nil || theirs.Generation >= ours.Generation || ours.State == unassigned {
		return false
	}
	e.pending++
	s.pending++
	s.log.AppendAsync(topiclog.Record{Key: []byte(key), Value: e.own}, func(r topiclog.Record, err error) { s.answered(key, r, err) })
	return true
}

// unassigned is the state of what this worker has put down.
const unassigned = "UNASSIGNED"

func (s *Statuses) entryLocked(key string) *entry {
	e := s.entries[key]
	if e == nil {
		e = &entry{written: -1}
		s.entries[key] = e
	}
	return e
}

func (s *Statuses) setLocked(key string, e *entry, r topiclog.Record) {
	var err error
	if strings.HasPrefix(key, connectorStatusPrefix) {
		e.status, err = parseStatus(r.Value)
	} else if rest, ok := strings.CutPrefix(key, taskStatusPrefix); ok {
		err = s.setTaskLocked(rest, r.Value)
	} else if rest, ok := strings.CutPrefix(key, topicStatusPrefix); ok {
		err = s.setTopicLocked(rest, r.Value)
	}
	if err != nil {
		s.slog.Error("record of the status topic passed over", "key", key, "partition", r.Partition, "offset", r.Offset, "err", err)
	}
}

func (s *Statuses) setTaskLocked(rest string, value []byte) error {
	connector, task, err := taskKey(rest)
	if err != nil {
		return err
	}
	st, err := parseStatus(value)
	if err != nil {
		return err
	}
	setOrDelete(s.tasks, connector, task, st)
	return nil
}

func (s *Statuses) setTopicLocked(rest string, value []byte) error {
	// Topic names have no colon.
	topic, connector, ok := strings.Cut(rest, topicStatusInfix)
	if !ok {
		return nil
	}
	t, err := parseTopic(value)
	if err != nil {
		return err
	}
	setOrDelete(s.topics, connector, topic, t)
	return nil
}

func setOrDelete[K comparable, V any](m map[string]map[K]V, connector string, key K, value *V) {
	if value == nil {
		delete(m[connector], key)
		if len(m[connector]) == 0 {
			delete(m, connector)
		}
		return
	}
	if m[connector] == nil {
		m[connector] = make(map[K]V)
	}
	m[connector][key] = *value
}

func parseStatus(value []byte) (*Status, error) {
	if value == nil {
		return nil, nil
	}
	o, err := object(value)
	if err != nil {
		return nil, err
	}
	st := &Status{}
	if st.State, err = member[string](o, "state"); err != nil {
		return nil, err
	}
	if st.WorkerID, err = member[string](o, "worker_id"); err != nil {
		return nil, err
	}
	generation, err := member[int64](o, "generation")
	if err != nil {
		return nil, err
	}
	st.Generation = int32(generation)
	st.Trace, _ = o["trace"].(string)       // null is no trace
	if v, ok := o["version"].(string); ok { // missing before Kafka 4.1
		st.Version = &v
	}
	return st, nil
}

func parseTopic(value []byte) (*Topic, error) {
	if value == nil {
		return nil, nil
	}
	o, err := object(value)
	if err != nil {
		return nil, err
	}
	if o, err = member[map[string]any](o, "topic"); err != nil {
		return nil, err
	}
	t := &Topic{}
	if t.Name, err = member[string](o, "name"); err != nil {
		return nil, err
	}
	if t.Connector, err = member[string](o, "connector"); err != nil {
		return nil, err
	}
	task, err := member[int64](o, "task")
	if err != nil {
		return nil, err
	}
	t.Task = int(task)
	t.Discovered, err = member[int64](o, "discoverTimestamp")
	return t, err
}

// Connectors returns the connectors that have a status of their own, a task's or an active topic, unsorted.
func (s *Statuses) Connectors() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make(map[string]bool)
	for key, e := range s.entries {
		if name, ok := strings.CutPrefix(key, connectorStatusPrefix); ok && e.status != nil {
			names[name] = true
		}
	}
	for name := range s.tasks {
		names[name] = true
	}
	for name := range s.topics {
		names[name] = true
	}
	return slices.Collect(maps.Keys(names))
}
