package partition

import (
	"context"
	"errors"
	"time"

	"millrace/broker/commitlog"
)

// houseKeeping checkpoints, applies retention and removes deleted partitions, each at its interval.
func (m *Manager) houseKeeping(ctx context.Context) error {
	checkpoint := time.NewTicker(m.cfg.CheckpointInterval)
	defer checkpoint.Stop()
	retention := time.NewTicker(m.cfg.RetentionCheckInterval)
	defer retention.Stop()
	purge := time.NewTimer(m.purge())
	defer purge.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-checkpoint.C:
			m.warn("checkpoint", m.Checkpoint())
		case <-retention.C:
			m.ApplyRetention()
		case <-m.deleted:
			purge.Reset(m.purge())
		case <-purge.C:
			purge.Reset(m.purge())
		}
	}
}

// warn logs what housekeeping could not do; it tries again at the next interval.
func (m *Manager) warn(doing string, err error) {
	if err != nil {
		m.logger.Warn("housekeeping failed", "doing", doing, "err", err)
	}
}

// Checkpoint writes the checkpoint files.
func (m *Manager) Checkpoint() error { return m.checkpoint(m.all()) }

// checkpoint writes what the checkpoint files say about some partitions; closed and failed ones keep their last marks.
func (m *Manager) checkpoint(partitions map[commitlog.TopicPartition]*Partition) error {
	m.marking.Lock()
	defer m.marking.Unlock()
	marks := make(map[commitlog.TopicPartition]commitlog.Marks)
	for tp, p := range partitions {
		if p.Err() == nil {
			marks[tp] = p.marks()
		}
	}
	return m.dir.Checkpoint(marks)
}

// ApplyRetention removes what retention.ms, retention.bytes and DeleteRecords leave behind, and forgets producers that
// have been silent for too long.
func (m *Manager) ApplyRetention() {
	for tp, p := range m.all() {
		if p.Err() != nil {
			continue
		}
		if err := m.retain(tp, p); err != nil && !errors.Is(err, ErrClosed) {
			m.logger.Warn("retention failed", "topic", tp.Topic, "partition", tp.Index, "err", err)
		}
	}
}

// retain moves the log start first, durably, and removes segments then.
func (m *Manager) retain(tp commitlog.TopicPartition, p *Partition) error {
	p.log.ExpireProducers()
	before := p.log.Start()
	start, err := p.log.RetentionStart(p.HighWatermark())
	if err != nil {
		return err
	}
	if err := p.log.AdvanceStart(start); err != nil {
		return err
	}
	if start > before {
		if err := p.startMoved(); err != nil {
			return err
		}
	}
	if err := p.Sync(); err != nil { // a segment that was closed just now gets its indexes
		return err
	}
	bytes, err := p.log.RemoveBelowStart()
	m.metrics.removed.Add(float64(bytes))
	if bytes > 0 {
		m.logger.Info("segments removed", "topic", tp.Topic, "partition", tp.Index, "bytes", bytes, "log_start", start)
	}
	return err
}

// purge removes the directories of partitions deleted long enough ago, and returns when to look again.
func (m *Manager) purge() time.Duration {
	next := time.Hour
	now := m.cfg.Clock()
	var due []string
	m.mu.Lock()
	kept := m.deletes[:0]
	for _, d := range m.deletes {
		if now.Before(d.at) {
			kept = append(kept, d)
			next = min(next, d.at.Sub(now))
		} else {
			due = append(due, d.path)
		}
	}
	m.deletes = kept
	m.mu.Unlock()
	for _, path := range due {
		m.warn("remove "+path, m.dir.Purge(path))
	}
	return next
}

// cleaning compacts the partition that needs it most, and waits for log.cleaner.backoff.ms if none does.
func (m *Manager) cleaning(ctx context.Context) error {
	timer := time.NewTimer(m.cfg.CleanerBackoff)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		for ctx.Err() == nil && m.CompactOne(ctx) {
		}
		timer.Reset(m.cfg.CleanerBackoff)
	}
}

// CompactOne compacts the partition with the largest share of dirty bytes, if one is due, and says whether one was. A
// partition that cannot be compacted is left alone from then on, until it is opened again; the others go on.
func (m *Manager) CompactOne(ctx context.Context) bool {
	var best *Partition
	var bestAt commitlog.TopicPartition
	var bestPlan commitlog.CleanPlan
	for tp, p := range m.all() {
		s := p.Settings()
		if !s.Compact || p.uncleanable.Load() || p.Err() != nil {
			continue
		}
		plan, err := p.log.PlanClean(m.dir.CleanerOffset(tp), p.LastStableOffset())
		if err != nil {
			m.giveUpCleaning(tp, p, err)
			continue
		}
		if plan.Due(s.Settings) && (best == nil || plan.DirtyRatio > bestPlan.DirtyRatio) {
			best, bestAt, bestPlan = p, tp, plan
		}
	}
	if best == nil {
		return false
	}
	began := m.cfg.Clock()
	done, err := m.cleaner.Clean(ctx, best.log, bestPlan)
	m.metrics.cleanerRead.Add(float64(done.Read))
	m.metrics.cleanerKept.Add(float64(done.Written))
	if err == nil {
		err = m.dir.SetCleanerOffset(bestAt, done.Next)
	}
	switch {
	case err == nil:
		m.metrics.cleanerRuns.Inc()
		m.logger.Debug("partition compacted", "topic", bestAt.Topic, "partition", bestAt.Index, "offset", done.Next,
			"read_bytes", done.Read, "written_bytes", done.Written, "segments", done.Segments,
			"duration", m.cfg.Clock().Sub(began))
		return done.Next > bestPlan.From
	case errors.Is(err, context.Canceled), errors.Is(err, ErrClosed):
	case errors.Is(err, ErrNoSpace):
		m.warn("compact", err)
	default:
		m.giveUpCleaning(bestAt, best, err)
	}
	return false
}

func (m *Manager) giveUpCleaning(tp commitlog.TopicPartition, p *Partition, err error) {
	p.uncleanable.Store(true)
	m.metrics.uncleanable.Inc()
	m.logger.Error("partition cannot be compacted", "topic", tp.Topic, "partition", tp.Index, "err", err)
}
