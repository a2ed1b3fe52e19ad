package mirror

// syncsPerPartition is one for each bit of an offset.
const syncsPerPartition = 64

// offsetPair is an offsetSync within its partition.
type offsetPair struct{ upstream, downstream int64 }

// partitionSyncs are those offset syncs of a partition that are worth keeping: the latest in place 0, and the further back, the
// sparser, so that a translation is the more exact the nearer to the end. Between different syncs in places i < j holds
//
//	syncs[i].upstream <= syncs[j].upstream + 2^j - 2^i       (none is too old for its place)
//	syncs[i].upstream >= syncs[j].upstream + 2^max(i-2, 0)   (none is too close to another)
//
// and the last place holds the earliest sync that may be used at all.
type partitionSyncs [syncsPerPartition]offsetPair

func (s *partitionSyncs) clear(p offsetPair) {
	for i := range s {
		s[i] = p
	}
}

// add takes in the latest sync.
func (s *partitionSyncs) add(latest offsetPair) {
	if latest.upstream < s[0].upstream {
		s.clear(latest) // the source's offsets began anew: nothing earlier holds
		return
	}
	old := *s
	candidate, at := latest, 0 // what goes into the next place, and the first of the old syncs that may come after it
	s[0] = latest
	for place := 1; place < len(s); place++ {
		before := s[place-1]
		for next := true; next && at < place; {
			o := old[at]
			separate := apart(before, o, place-1)
			if separate && recent(before, o, place-1, place) && (place+1 == len(s) || apart(o, s[place+1], place)) {
				candidate = o
				at++
				next = o == old[at]
				continue
			}
			// Out of the question, also further back?
			if next = !separate || o == old[at+1]; next {
				at++
			}
		}
		if recent(before, s[place], place-1, place) {
			return // and so it is for all that follow
		}
		s[place] = candidate
	}
}

// recent reports whether b, in place j, is not too old beside a, in place i.
func recent(a, b offsetPair, i, j int) bool {
	bound := b.upstream + 1<<j - 1<<i
	return a == b || bound < 0 || a.upstream <= bound
}

// apart reports whether a, in place i, is far enough from the earlier b.
func apart(a, b offsetPair, i int) bool {
	bound := b.upstream + 1<<max(i-2, 0)
	return a == b || bound >= 0 && a.upstream >= bound
}

// before is the latest sync that is not after upstream, or the earliest there is.
func (s *partitionSyncs) before(upstream int64) offsetPair {
	for _, p := range s {
		if p.upstream <= upstream {
			return p
		}
	}
	return s[len(s)-1]
}

// A syncStore holds the offset syncs that a checkpoint task has read, and translates with them.
type syncStore struct {
	// lastOnly keeps one sync of each partition only, until the end of the topic is reached for the first time: without the checkpoints
	// of earlier tasks, nothing earlier may be used, or translations could go back.
	lastOnly   bool
	partitions map[topicPartition]*partitionSyncs
}

func newSyncStore(lastOnly bool) *syncStore {
	return &syncStore{lastOnly: lastOnly, partitions: make(map[topicPartition]*partitionSyncs)}
}

// add takes in a sync of the topic, in the topic's order.
func (s *syncStore) add(sync offsetSync) {
	pair := offsetPair{sync.upstream, sync.downstream}
	syncs := s.partitions[sync.topicPartition]
	switch {
	case syncs == nil:
		syncs = new(partitionSyncs)
		syncs.clear(pair)
		s.partitions[sync.topicPartition] = syncs
	case s.lastOnly:
		syncs.clear(pair)
	default:
		syncs.add(pair)
	}
}

// translate returns the offset in the target from which a group that has come to upstream misses nothing. A group that is past a
// sync goes on right behind it, however far it is: how many of the records between were replicated is not known.
// ok is false if there is no such offset: no sync yet, or none as old as that.
func (s *syncStore) translate(tp topicPartition, upstream int64) (downstream int64, ok bool) {
	syncs := s.partitions[tp]
	if syncs == nil {
		return 0, false
	}
	switch sync := syncs.before(upstream); {
	case sync.upstream > upstream:
		return 0, false
	case sync.upstream == upstream:
		return sync.downstream, true
	default:
		return sync.downstream + 1, true
	}
}
