package partition

import (
	"fmt"
	"math"
	"time"

	"millrace/broker/commitlog"
)

// Lead makes this replica the leader of m.LeaderEpoch, or tells a leader what changed within its epoch. The epoch is recorded
// durably, at the log end, before the first append of it. Errors: ErrFencedLeaderEpoch for an epoch that is over, and those
// of the log.
func (p *Partition) Lead(m Leadership) error {
	p.role.Lock()
	defer p.role.Unlock()
	current := p.leaderEpoch.Load()
	switch {
	case m.LeaderEpoch < current:
		return fmt.Errorf("leader epoch %d, the partition has %d: %w", m.LeaderEpoch, current, ErrFencedLeaderEpoch)
	case p.following && m.LeaderEpoch == current && p.placed:
		return fmt.Errorf("leader epoch %d is led by another broker: %w", m.LeaderEpoch, ErrFencedLeaderEpoch)
	}
	if m.LeaderEpoch == current && p.placed && m.PartitionEpoch < p.lead.PartitionEpoch {
		return nil // an answer overtaken by newer metadata
	}
	if err := p.log.BeginEpoch(m.LeaderEpoch); err != nil {
		return err
	}
	o := p.log.Offsets()
	p.mu.Lock()
	p.place(len(m.Replicas) == 1, o)
	p.following = false
	p.leaderEpoch.Store(m.LeaderEpoch)
	p.lead.lead(m, o.End, p.clock())
	p.replicated.Store(!p.lead.alone())
	short := p.checkISRLocked()
	p.mu.Unlock()
	answer(short, ErrNotEnoughReplicasAfterAppend)
	p.reached(o)
	p.announce()
	return nil
}

// BecomeLeader is Lead for the only replica.
func (p *Partition) BecomeLeader(epoch int32) error {
	return p.Lead(Leadership{LeaderEpoch: epoch, Replicas: []int32{0}, ISR: []int32{0}})
}

// Follow makes this replica a follower in a leader epoch. Whoever waits for an acknowledgement gets ErrNotLeader, parked
// fetches are called. An epoch that is over is ErrFencedLeaderEpoch.
func (p *Partition) Follow(epoch int32) error {
	p.role.Lock()
	defer p.role.Unlock()
	if current := p.leaderEpoch.Load(); epoch < current {
		return fmt.Errorf("leader epoch %d, the partition has %d: %w", epoch, current, ErrFencedLeaderEpoch)
	}
	if p.following && p.placed && epoch == p.leaderEpoch.Load() {
		return nil
	}
	o := p.log.Offsets()
	p.mu.Lock()
	p.place(false, o)
	p.following = true
	p.leaderEpoch.Store(epoch)
	p.lead = leading{}
	p.replicated.Store(true)
	p.underMinISR.Store(false)
	acks := append(p.acks.takeAll(), p.durable.takeAll()...)
	parked := append(p.waiters.takeAll(), p.tailing.takeAll()...)
	p.mu.Unlock()
	answer(acks, ErrNotLeader)
	call(parked)
	return nil
}

// place sets where the high watermark is when the first role is taken: until then the log was taken for the only copy there
// is. p.mu is held.
func (p *Partition) place(alone bool, o commitlog.Offsets) {
	if !p.placed && !alone {
		p.hw = min(max(p.checkpointed, o.Start), o.End)
	}
	p.placed = true
}

// reached passes on how far this replica vouches for its log.
func (p *Partition) reached(o commitlog.Offsets) {
	own, bytes := o.Durable, o.Appended
	if !p.settings.Load().groupCommit() {
		own = o.End
	} else if own < o.End {
		bytes = 0 // the sync that is due brings it
	}
	p.advance(own, bytes)
}

// checkISRLocked notes whether the ISR is large enough for acks=all, and takes those who wait if it no longer is: their records
// may not reach the replicas they were promised to. p.mu is held.
func (p *Partition) checkISRLocked() []durableWaiter {
	short := len(p.lead.ISR) < p.minISRLocked()
	p.underMinISR.Store(short)
	if !short {
		return nil
	}
	return p.acks.takeAll()
}

// minISRLocked is min.insync.replicas as it applies here: never more than there are replicas.
func (p *Partition) minISRLocked() int {
	return min(int(p.settings.Load().MinInSyncReplicas), len(p.lead.Replicas))
}

// Following says whether another replica leads.
func (p *Partition) Following() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.following
}

// UnderMinISR says whether this leader has fewer in-sync replicas than acks=all needs.
func (p *Partition) UnderMinISR() bool { return p.underMinISR.Load() }

// FollowerFetched takes in where a follower is. Its offset moves the high watermark and may bring it into the ISR. Call it
// before the read that answers the fetch, and only for an offset that is in the log and does not diverge (KAFKA-13141).
// Errors: ErrNotLeader if this replica does not lead or the other one is none; ErrFencedLeaderEpoch, ErrUnknownLeaderEpoch.
func (p *Partition) FollowerFetched(f FollowerFetch) error {
	o := p.log.Offsets()
	p.mu.Lock()
	current := p.leaderEpoch.Load()
	var err error
	switch {
	case p.following:
		err = ErrNotLeader
	case f.LeaderEpoch >= 0 && f.LeaderEpoch != current:
		err = epochError(f.LeaderEpoch, current)
	case f.Offset < o.Start || f.Offset > o.End:
		err = fmt.Errorf("offset %d, the log has %d to %d: %w", f.Offset, o.Start, o.End, ErrOffsetOutOfRange)
	case p.lead.idle(f, o.End):
		p.lead.fetched(f, o.End, p.clock())
		p.mu.Unlock()
		return nil
	case !p.lead.fetched(f, o.End, p.clock()):
		err = fmt.Errorf("broker %d is no replica: %w", f.Replica, ErrNotLeader)
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	p.reached(o)
	p.announce()
	return nil
}

// SetEligible says of another replica whether it may be waited for and join the ISR, for when that changes without a fetch.
func (p *Partition) SetEligible(replica int32, eligible bool) {
	p.mu.Lock()
	if f := p.lead.find(replica); f != nil {
		f.eligible = eligible
	}
	p.mu.Unlock()
	p.reached(p.log.Offsets())
}

// Tick looks at what time brings: followers that fell behind, acknowledgements that came too late.
func (p *Partition) Tick() {
	now := p.clock()
	p.mu.Lock()
	late := p.acks.takeLate(now)
	p.mu.Unlock()
	answer(late, ErrTimedOut)
	if p.replicated.Load() {
		p.reached(p.log.Offsets()) // a laggard that is no longer waited for
		p.announce()
	}
}

// announce looks for an ISR change to ask for and says so.
func (p *Partition) announce() {
	if p.onISRChange == nil || !p.replicated.Load() {
		return
	}
	end := p.log.End()
	now := p.clock()
	p.mu.Lock()
	wanted := !p.following && p.lead.change(p.hw, end, p.settings.Load().maxLag(), now) != nil
	p.mu.Unlock()
	if wanted {
		p.onISRChange(p)
	}
}

// ISRRequest is the change to ask the controller for now, nil if there is none. Each call counts as a request that was sent:
// after one without an answer, call it again and send that.
func (p *Partition) ISRRequest() *ISRChange {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.following {
		return nil
	}
	return p.lead.request()
}

// ISRRefused takes in that the controller refused the change under this partition epoch, for good.
func (p *Partition) ISRRefused(partitionEpoch int32) {
	p.mu.Lock()
	if !p.following && p.lead.PartitionEpoch == partitionEpoch {
		p.lead.refuse(p.clock())
	}
	p.mu.Unlock()
	p.reached(p.log.Offsets())
}

// ISRTaken takes in that the controller made the change: the ISR is this one under partitionEpoch. It is no news if newer
// metadata was faster.
func (p *Partition) ISRTaken(leaderEpoch, partitionEpoch int32, isr []int32) {
	p.mu.Lock()
	if p.following || leaderEpoch != p.leaderEpoch.Load() || partitionEpoch <= p.lead.PartitionEpoch {
		p.mu.Unlock()
		return
	}
	next := p.lead.Leadership
	next.PartitionEpoch, next.ISR = partitionEpoch, isr
	p.lead.lead(next, p.lead.epochStart, p.clock())
	short := p.checkISRLocked()
	p.mu.Unlock()
	answer(short, ErrNotEnoughReplicasAfterAppend)
	p.reached(p.log.Offsets())
	p.announce()
}

// ISRPending says whether a change is asked for and not decided.
func (p *Partition) ISRPending() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lead.wanted != nil
}

// ISR is what the leader goes by: the metadata's, nil for followers.
func (p *Partition) ISR() []int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lead.ISR
}

// Members counts the replicas and the in-sync ones that a leader knows of; 0 for followers.
func (p *Partition) Members() (replicas, inSync int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.lead.Replicas), len(p.lead.ISR)
}

// Progress is how far a replica is.
type Progress struct {
	ID     int32
	Offset int64
}

// InSync lists the other in-sync replicas that have everything below offset.
func (p *Partition) InSync(offset int64) []Progress {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []Progress
	for i := range p.lead.followers {
		if f := &p.lead.followers[i]; f.offset >= offset && p.lead.inSync(f.id) {
			list = append(list, Progress{f.id, f.offset})
		}
	}
	return list
}

// Position is where a follower fetches: the end of its log, and the leader epoch of the last record in it or begun at the end.
// Call Sync before: a leader takes the offset for synced.
func (p *Partition) Position() (offset int64, lastEpoch int32) {
	p.role.RLock()
	defer p.role.RUnlock()
	return p.log.End(), p.log.LastEpoch()
}

// LeaderAnswer is a leader's answer to a follower's fetch.
type LeaderAnswer struct {
	LeaderEpoch   int32  // the follower's, when it asked
	Records       []byte // whole batches
	HighWatermark int64
	LogStart      int64
}

// AppendFetched writes what a leader sent, byte for byte, and takes over its high watermark and log start as far as this log
// goes. Sync before the next fetch. Errors: ErrFencedLeaderEpoch if the epoch is over, batches that do not follow the log
// (ErrOffsetOutOfRange) or are damaged, and those of the log.
func (p *Partition) AppendFetched(a LeaderAnswer) error {
	p.role.RLock()
	defer p.role.RUnlock()
	if err := p.followedLocked(a.LeaderEpoch); err != nil {
		return err
	}
	if len(a.Records) > 0 {
		if err := p.log.AppendAt(a.Records); err != nil {
			return err
		}
	}
	o := p.log.Offsets()
	if a.LogStart > o.End {
		return fmt.Errorf("leader's log starts at %d, this one ends at %d: %w", a.LogStart, o.End, ErrOffsetOutOfRange)
	}
	if a.LogStart > o.Start {
		if err := p.log.AdvanceStart(a.LogStart); err != nil {
			return err
		}
		if p.startMoved != nil {
			if err := p.startMoved(); err != nil {
				return err
			}
		}
	}
	own := o.End
	if p.settings.Load().groupCommit() {
		own = o.Durable
	}
	p.learn(max(min(a.HighWatermark, own), a.LogStart), o)
	return nil
}

// learn moves a follower's high watermark up.
func (p *Partition) learn(hw int64, o commitlog.Offsets) {
	p.mu.Lock()
	p.above.add(o.End, o.Appended)
	p.mu.Unlock()
	p.raise(hw)
}

// followedLocked checks that the epoch a follower acts in is the current one. p.role is held.
func (p *Partition) followedLocked(epoch int32) error {
	current := p.leaderEpoch.Load()
	if !p.following || epoch != current {
		return fmt.Errorf("fetched in leader epoch %d, the partition has %d: %w", epoch, current, ErrFencedLeaderEpoch)
	}
	return p.log.Err()
}

// TruncateDiverged cuts a follower's log back to where it agrees with the leader's, which said that leader epoch diverging
// ended at end in its log: the largest epoch it has that is not above the follower's last. One step may not be enough; the next fetch
// finds out. It returns the new log end. Never goes by the high watermark: cutting below it follows an unclean election and
// is logged.
func (p *Partition) TruncateDiverged(leaderEpoch, diverging int32, end int64) (int64, error) {
	p.role.RLock()
	defer p.role.RUnlock()
	if err := p.followedLocked(leaderEpoch); err != nil {
		return 0, err
	}
	to := end
	if own, ownEnd := p.log.EndOfEpoch(diverging); own >= 0 && own < diverging {
		to = ownEnd // this log does not have the epoch: compare the one before it next
	} else if own == diverging {
		to = min(end, ownEnd)
	}
	return p.truncate(to)
}

// truncate cuts the log. p.role is held shared, and p is a follower, so nobody else appends but the one fetcher.
func (p *Partition) truncate(to int64) (int64, error) {
	before := p.log.End()
	end, err := p.log.TruncateTo(to)
	if err != nil {
		return end, err
	}
	p.mu.Lock()
	hw := p.hw
	p.hw = max(min(p.hw, end), p.log.Start())
	p.above.cut(end)
	p.mu.Unlock()
	if end < hw {
		p.logger.Warn("truncated below the high watermark after an unclean election", "offset", end, "high_watermark", hw,
			"log_end", before)
	} else if end < before {
		p.logger.Info("truncated to the leader's log", "offset", end, "log_end", before)
	}
	return end, nil
}

// RestartAt empties a follower's log, all of which lies below the leader's log start or above its end, and begins it at start.
func (p *Partition) RestartAt(leaderEpoch int32, start int64) error {
	p.role.RLock()
	defer p.role.RUnlock()
	if err := p.followedLocked(leaderEpoch); err != nil {
		return err
	}
	before := p.log.Offsets()
	if err := p.log.ResetTo(start); err != nil {
		return err
	}
	p.mu.Lock()
	p.hw = start // KAFKA-9491
	p.above.cut(math.MinInt64)
	p.mu.Unlock()
	p.logger.Warn("log begun anew where the leader's starts", "offset", start, "log_start", before.Start, "log_end", before.End)
	if p.startMoved != nil {
		return p.startMoved()
	}
	return nil
}

// SyncFetched makes what was fetched durable as far as a follower must before it says that it has it: with group commit all of
// it, with flush.messages when so many are waiting.
func (p *Partition) SyncFetched() error {
	s := p.settings.Load()
	o := p.log.Offsets()
	unsynced := o.End - o.Durable
	switch {
	case unsynced == 0:
		return p.log.Err()
	case s.groupCommit(), s.FlushMessages > 0 && unsynced >= s.FlushMessages:
		return p.Sync()
	case s.FlushInterval > 0:
		p.flushIn(s.FlushInterval)
	}
	return nil
}

// maxLag is replica.lag.time.max.ms.
func (s *Settings) maxLag() time.Duration {
	if s.ReplicaLagMax == 0 {
		return 30 * time.Second
	}
	return s.ReplicaLagMax
}
