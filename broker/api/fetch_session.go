package api

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/broker/metadata"
)

// Epochs of a fetch that is no step of a session (KIP-227).
const (
	epochFinal   = -1 // no session; ends the one that is named
	epochInitial = 0  // begin a session
)

const (
	// sessionMinAge is how long a session must have been idle before a new one may take its slot.
	sessionMinAge = 2 * time.Minute
	// maxSessionParts bounds what clients can make all sessions together remember, at about 200 bytes each. Above it there are
	// no new sessions, and one that grows ends: its client falls back to full fetches.
	maxSessionParts = 200_000
)

// sessionCache holds the fetch sessions of all connections. Only sessionMinAge old ones are evicted; when there is no room
// the answer to "begin a session" is a full one without a session, which is always legal.
type sessionCache struct {
	slots int
	clock func() time.Time
	parts atomic.Int64 // partitions of all sessions

	mu       sync.Mutex
	sessions map[int32]*session
}

func newSessionCache(slots int, clock func() time.Time) *sessionCache {
	return &sessionCache{slots: slots, clock: clock, sessions: make(map[int32]*session)}
}

// session is what the broker remembers of an incremental fetcher. Its mu is taken after sessionCache's.
type session struct {
	id   int32
	byID bool // topics by id (v13 and later) rather than by name

	lastUsed time.Time // guarded by the cache's mu

	mu    sync.Mutex
	epoch int32 // of the next request
	ended bool  // no longer in the cache
	parts map[partKey]*sessionPart
	// order is that of reading: partitions that were answered go to the end, so that none starves.
	order []*sessionPart
}

type partKey struct {
	topic string
	id    metadata.TopicID
	n     int32
}

// sessionPart is one partition of a session. The session's mu guards it.
type sessionPart struct {
	fetchPart
	// What the client was told last; -2 before anything.
	highWatermark, lastStable, logStart int64

	gone bool // forgotten by the client
}

// sessionFetch is one request seen through its session.
type sessionFetch struct {
	session     *session // nil without one
	sessionID   int32    // for the answer
	incremental bool
	parts       []fetchPart
}

// begin finds out what a request asks for. An error code is one for the whole answer.
func (c *sessionCache) begin(image *metadata.Image, req *kmsg.FetchRequest) (sessionFetch, int16) {
	byID := req.Version >= 13
	switch {
	case req.Version < 7 || req.SessionEpoch == epochFinal:
		if req.SessionID != 0 {
			c.remove(req.SessionID)
		}
		return sessionFetch{parts: fullParts(image, req)}, 0
	case req.SessionEpoch == epochInitial:
		if req.SessionID != 0 {
			c.remove(req.SessionID)
		}
		f := sessionFetch{parts: fullParts(image, req)}
		if f.session = c.create(byID, f.parts); f.session != nil {
			f.sessionID = f.session.id
		}
		return f, 0
	}
	s := c.use(req.SessionID)
	if s == nil || req.SessionEpoch < epochFinal {
		return sessionFetch{}, kerr.FetchSessionIDNotFound.Code
	}
	if s.byID != byID {
		return sessionFetch{}, kerr.FetchSessionTopicIDError.Code
	}
	f, grown, code := s.step(image, req)
	switch {
	case code != 0:
		return f, code
	case c.parts.Add(int64(grown)) > maxSessionParts && grown > 0:
		c.remove(s.id)
		return sessionFetch{}, kerr.FetchSessionIDNotFound.Code
	case len(f.parts) == 0:
		c.remove(s.id) // nothing left to fetch
		f.session, f.sessionID = nil, 0
	}
	return f, 0
}

func (c *sessionCache) use(id int32) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[id]
	if s != nil {
		s.lastUsed = c.clock()
	}
	return s
}

func (c *sessionCache) remove(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sessions[id]; s != nil {
		c.removeLocked(s)
	}
}

func (c *sessionCache) removeLocked(s *session) {
	delete(c.sessions, s.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	c.parts.Add(-int64(len(s.parts)))
	s.ended = true
}

// create makes a session of parts, which it points into the session; nil if there is no slot.
func (c *sessionCache) create(byID bool, parts []fetchPart) *session {
	s := &session{byID: byID, epoch: 1, parts: make(map[partKey]*sessionPart, len(parts))}
	for i := range parts {
		parts[i].session = s.addLocked(parts[i]) // nobody else has s yet
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= c.slots && !c.evictLocked() || c.parts.Load()+int64(len(s.parts)) > maxSessionParts {
		return nil
	}
	c.parts.Add(int64(len(s.parts)))
	for s.id == 0 || c.sessions[s.id] != nil {
		s.id = 1 + rand.Int32N(math.MaxInt32-1)
	}
	s.lastUsed = c.clock()
	c.sessions[s.id] = s
	return s
}

// evictLocked frees the slot that was idle longest, if that is long enough.
func (c *sessionCache) evictLocked() bool {
	var oldest *session
	for _, s := range c.sessions {
		if oldest == nil || s.lastUsed.Before(oldest.lastUsed) {
			oldest = s
		}
	}
	if oldest == nil || c.clock().Sub(oldest.lastUsed) < sessionMinAge {
		return false
	}
	c.removeLocked(oldest)
	return true
}

// step takes an incremental request: what it adds, changes and forgets. grown is by how many partitions.
func (s *session) step(image *metadata.Image, req *kmsg.FetchRequest) (f sessionFetch, grown int, code int16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return sessionFetch{}, 0, kerr.FetchSessionIDNotFound.Code
	}
	if req.SessionEpoch != s.epoch {
		return sessionFetch{}, 0, kerr.InvalidFetchSessionEpoch.Code
	}
	before := len(s.parts)
	if s.epoch++; s.epoch <= 0 { // it wraps
		s.epoch = 1
	}
	eachPart(image, req, func(part fetchPart) {
		if old := s.parts[part.key()]; old != nil {
			old.fetchPart = part
		} else {
			s.addLocked(part)
		}
	})
	s.forgetLocked(req.ForgottenTopics)
	f = sessionFetch{session: s, sessionID: s.id, incremental: true, parts: make([]fetchPart, len(s.order))}
	for i, sp := range s.order {
		f.parts[i] = sp.fetchPart
		f.parts[i].session = sp
	}
	return f, len(s.parts) - before, 0
}

func (s *session) addLocked(part fetchPart) *sessionPart {
	part.topic = strings.Clone(part.topic) // it lives in the request
	sp := &sessionPart{fetchPart: part, highWatermark: -2, lastStable: -2, logStart: -2}
	s.parts[part.key()] = sp
	s.order = append(s.order, sp)
	return sp
}

func (s *session) forgetLocked(topics []kmsg.FetchRequestForgottenTopic) {
	if len(topics) == 0 {
		return
	}
	for i := range topics {
		for _, n := range topics[i].Partitions {
			key := partKey{topics[i].Topic, topics[i].TopicID, n}
			if sp := s.parts[key]; sp != nil {
				sp.gone = true
				delete(s.parts, key)
			}
		}
	}
	kept := s.order[:0]
	for _, sp := range s.order {
		if !sp.gone {
			kept = append(kept, sp)
		}
	}
	clear(s.order[len(kept):])
	s.order = kept
}

func (p *fetchPart) key() partKey { return partKey{p.topic, p.id, p.n} }

// fullParts lists the partitions a request names, each once: the later entry wins.
func fullParts(image *metadata.Image, req *kmsg.FetchRequest) []fetchPart {
	n := 0
	for i := range req.Topics {
		n += len(req.Topics[i].Partitions)
	}
	parts := make([]fetchPart, 0, n)
	var places map[partKey]int
	if n > 1 {
		places = make(map[partKey]int, n)
	}
	eachPart(image, req, func(part fetchPart) {
		if n == 1 {
			parts = append(parts, part)
			return
		}
		key := part.key()
		if at, ok := places[key]; ok {
			parts[at] = part
			return
		}
		places[key] = len(parts)
		parts = append(parts, part)
	})
	return parts
}

func eachPart(image *metadata.Image, req *kmsg.FetchRequest, f func(fetchPart)) {
	for i := range req.Topics {
		t := &req.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			f(fetchPart{
				topic: t.Topic, id: t.TopicID, n: p.Partition, offset: p.FetchOffset, maxBytes: p.PartitionMaxBytes,
				leaderEpoch: p.CurrentLeaderEpoch, lastEpoch: p.LastFetchedEpoch,
				known: req.Version >= 13 && image.TopicByID(t.TopicID) != nil,
			})
		}
	}
}
