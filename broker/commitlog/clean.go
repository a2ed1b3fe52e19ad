package commitlog

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"time"

	"millrace/broker/batch"
)

// Compaction, one pass over one log:
//
//	| clean | dirty            | not cleanable |
//	^start  ^from              ^end            ^log end
//
// The newest offset of every key in the dirty part goes into a map of bounded size; if it fills up, end moves down to
// there. Then every segment below end is copied without the records that the map has a newer one of, in groups that
// stay within segment.bytes and 32-bit offsets, and each copy takes the place of its group (see swap.go). Below end the
// log has one record per key afterwards, in the old order and at the old offsets.
//
// What is also kept or dropped, batch by batch:
//
//   - A tombstone stays until its delete horizon: the time it was first passed plus delete.retention.ms, kept in the
//     batch, so that a reader who is behind sees it.
//   - Records of aborted transactions go. A transaction marker stays while records of its transaction do, and after that
//     until a delete horizon of its own.
//   - The last batch of each producer stays, without records if need be, for its sequence.

// CleanPlan is what compaction would find in a log.
type CleanPlan struct {
	From, End  int64   // the dirty part
	DirtyRatio float64 // dirty bytes in all that would be read
	Overdue    bool    // a record is older than max.compaction.lag.ms

	first int64 // base of the first segment
}

// Due says whether it is time for a pass.
func (p CleanPlan) Due(s Settings) bool {
	return p.End > p.From && (p.DirtyRatio > s.MinCleanableDirtyRatio || p.Overdue)
}

// PlanClean looks at what a pass would do. from is where the last one ended; limit is what may be compacted at most: the
// last stable offset.
func (l *Log) PlanClean(from, limit int64) (CleanPlan, error) {
	return retryGone(func() (CleanPlan, error) { return l.planClean(from, limit) })
}

func (l *Log) planClean(from, limit int64) (CleanPlan, error) {
	set := l.Settings()
	now := l.clock().UnixMilli()
	_, views := l.views()
	plan := CleanPlan{From: from, End: views[0].base, first: views[0].base}
	if from < views[0].base || from > l.End() {
		plan.From = views[0].base
	}
	var clean, dirty int64
	for _, v := range views {
		newest, _, err := l.maxTime(v)
		if err != nil {
			return plan, err
		}
		if v.last || v.end > limit || l.unfinished(v.seg) ||
			(set.MinCompactionLag > 0 && newest > now-set.MinCompactionLag.Milliseconds()) {
			break
		}
		plan.End = v.end
		if v.end <= plan.From {
			clean += v.size
			continue
		}
		dirty += v.size
		if set.MaxCompactionLag == math.MaxInt64 || plan.Overdue {
			continue
		}
		oldest, err := l.firstTimestamp(v)
		if err != nil {
			return plan, err
		}
		plan.Overdue = oldest >= 0 && now-oldest > set.MaxCompactionLag.Milliseconds()
	}
	if dirty > 0 {
		plan.DirtyRatio = float64(dirty) / float64(clean+dirty)
	}
	return plan, nil
}

// firstTimestamp is the time of the first batch of a segment, -1 for none.
func (l *Log) firstTimestamp(v view) (int64, error) {
	first := int64(-1)
	_, err := l.walk(v.seg, 0, v.size, false, func(f frame) error {
		first = f.MaxTimestamp()
		return errStopWalk
	})
	return first, err
}

// unfinished says that a closed segment has not been synced yet; the cleaner leaves it alone.
func (l *Log) unfinished(s *segment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return s.idx != nil
}

// Cleaner compacts logs, one at a time.
type Cleaner struct {
	maxBytes int64
	builder  batch.Builder
}

// NewCleaner makes a Cleaner that uses up to maxBytes for its map of keys; 0 is 16 MiB.
func NewCleaner(maxBytes int64) *Cleaner {
	if maxBytes <= 0 {
		maxBytes = 16 << 20
	}
	return &Cleaner{maxBytes: maxBytes}
}

// Cleaned is what a pass did.
type Cleaned struct {
	Next          int64 // where the next pass begins
	Read, Written int64 // bytes
	Segments      int   // segments replaced
}

// Clean makes one pass over l as planned. A failure leaves the log as it was or with some groups replaced, both whole.
// If retention removes a segment meanwhile, the pass ends early, without an error and with Next where it was: to go on would
// drop tombstones of records that were not dropped.
func (c *Cleaner) Clean(ctx context.Context, l *Log, plan CleanPlan) (Cleaned, error) {
	l.cleanMu.Lock()
	defer l.cleanMu.Unlock()
	done, err := c.clean(ctx, l, plan)
	if errors.Is(err, fs.ErrNotExist) && l.FirstBase() > plan.first {
		done.Next, err = plan.From, nil
	}
	return done, err
}

func (c *Cleaner) clean(ctx context.Context, l *Log, plan CleanPlan) (Cleaned, error) {
	result := Cleaned{Next: plan.From}
	p, err := c.newPass(ctx, l, plan)
	if err != nil {
		return result, err
	}
	for _, group := range p.groups() {
		err := p.cleanGroup(group, &result)
		if errors.Is(err, errGone) {
			return result, nil
		}
		if err != nil {
			return result, err
		}
	}
	result.Next = p.mappedEnd
	return result, nil
}

// pass is the state of one pass.
type pass struct {
	ctx       context.Context
	log       *Log
	builder   *batch.Builder
	settings  Settings
	now       int64
	end       int64 // of the segments that are copied
	mappedEnd int64 // records from here on are not in the map
	keys      *keyMap
	views     []view
	aborted   map[int64][]abortedTxn // by producer
	last      map[int64]lastOfProducer
	openData  map[int64]bool // producers with kept records of the transaction that is being read
}

// lastOfProducer is the batch that holds a producer's state.
type lastOfProducer struct {
	dataOffset int64 // last offset of its last batch of records, -1: only a marker in this epoch
	epoch      int16
}

func (c *Cleaner) newPass(ctx context.Context, l *Log, plan CleanPlan) (*pass, error) {
	p := &pass{
		ctx: ctx, log: l, builder: &c.builder, settings: l.Settings(), now: l.clock().UnixMilli(),
		end: plan.End, mappedEnd: plan.End, keys: newKeyMap(c.maxBytes),
		aborted: make(map[int64][]abortedTxn), last: make(map[int64]lastOfProducer), openData: make(map[int64]bool),
	}
	_, views := l.views()
	for _, v := range views {
		if v.end > plan.End || v.last {
			break
		}
		p.views = append(p.views, v)
	}
	l.mu.RLock()
	for _, s := range l.segments {
		for _, a := range s.aborted {
			p.aborted[a.producerID] = append(p.aborted[a.producerID], a)
		}
	}
	l.mu.RUnlock()
	for _, x := range l.Producers() {
		last := lastOfProducer{-1, x.Epoch}
		if b := x.Batches(); len(b) > 0 {
			last.dataOffset = b[len(b)-1].LastOffset
		}
		p.last[x.ID] = last
	}
	return p, p.mapKeys(plan.From)
}

// errMapFull ends the walk that fills the map.
var errMapFull = errors.New("key map full")

// mapKeys takes in the dirty part, up to where the map is full.
func (p *pass) mapKeys(from int64) error {
	for _, v := range p.views {
		if v.end <= from {
			continue
		}
		_, err := p.log.walk(v.seg, 0, v.size, true, func(f frame) error {
			if err := p.ctx.Err(); err != nil {
				return err
			}
			if f.Control() || f.Count() == 0 || f.NextOffset() <= from || p.isAborted(f.Batch) {
				return nil
			}
			return f.Each(0, func(r *batch.Record) error {
				if r.Offset >= from && r.Key != nil && !p.keys.put(r.Key, r.Offset) {
					p.mappedEnd = r.Offset
					return errMapFull
				}
				return nil
			})
		})
		if errors.Is(err, errMapFull) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) isAborted(b batch.Batch) bool {
	if !b.Transactional() {
		return false
	}
	for _, a := range p.aborted[b.ProducerID()] {
		if a.first <= b.BaseOffset() && b.LastOffset() < a.last {
			return true
		}
	}
	return false
}

// groups are the segments that become one each.
func (p *pass) groups() [][]view {
	var groups [][]view
	var size int64
	for _, v := range p.views {
		if v.base >= p.mappedEnd {
			break // nothing in it is in the map
		}
		n := len(groups)
		if n > 0 && size+v.size <= p.settings.SegmentBytes && v.end-groups[n-1][0].base <= math.MaxInt32 {
			groups[n-1] = append(groups[n-1], v)
			size += v.size
			continue
		}
		groups = append(groups, []view{v})
		size = v.size
	}
	return groups
}

// verdict is what becomes of a batch.
type verdict struct {
	drop    bool  // nothing of it stays, unless it has to for its header
	horizon int64 // the delete horizon it has from now on, -1: none
}

// judge decides about a batch as a whole; records are judged by keep.
func (p *pass) judge(b batch.Batch) verdict {
	horizon, has := b.DeleteHorizon()
	if !has {
		horizon = -1
	}
	switch {
	case b.Control():
		if p.openData[b.ProducerID()] {
			delete(p.openData, b.ProducerID())
			return verdict{horizon: -1}
		}
		if !has {
			horizon = afterRetention(p.now, p.settings.DeleteRetention)
		}
		return verdict{drop: horizon <= p.now, horizon: horizon}
	case p.isAborted(b):
		return verdict{drop: true, horizon: -1}
	}
	return verdict{horizon: horizon}
}

// keep says whether a record stays.
func (p *pass) keep(r *batch.Record, horizon int64) bool {
	if r.Offset >= p.mappedEnd {
		return true
	}
	if r.Key == nil {
		return false // compaction cannot tell what it would replace
	}
	if p.keys.newest(r.Key) > r.Offset {
		return false
	}
	return r.Value != nil || horizon < 0 || horizon > p.now
}

// holdsState says that a batch is the one a producer's state is read from.
func (p *pass) holdsState(b batch.Batch) bool {
	last, ok := p.last[b.ProducerID()]
	if !ok || b.ProducerID() < 0 || last.epoch != b.ProducerEpoch() {
		return false
	}
	if last.dataOffset >= 0 {
		return last.dataOffset == b.LastOffset()
	}
	return b.Control()
}

func afterRetention(now int64, d time.Duration) int64 {
	if ms := d.Milliseconds(); ms < math.MaxInt64-now {
		return now + ms
	}
	return math.MaxInt64
}
