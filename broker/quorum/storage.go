package quorum

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
)

// storage is what raft reads (entries and snapshot, kept in memory) and their durable copy. Compaction bounds both.
//
// Invariant: everything raft reads from here, and the vote it acts on, was on the disk first.
type storage struct {
	*raft.MemoryStorage
	cfg  Config
	log  *commitlog.Log
	vote *pb.HardState // as on disk
	// synced is what the file of that name says: every entry below it is in the log.
	synced int64

	builder batch.Builder
	buf     []byte
	// snapshot is the index of the newest snapshot on disk, bytes the size of the entries above it.
	snapshot uint64
	bytes    int
	// confs are the members since that snapshot, in log order: a snapshot names those of its own index.
	confs []confAt
}

// confAt is who the members are from an index on.
type confAt struct {
	index uint64
	conf  *pb.ConfState
}

// setConf notes a change of members, which the next snapshot must have before it can bring a new one up to date.
func (s *storage) setConf(index uint64, conf *pb.ConfState) {
	s.confs = append(s.confs, confAt{index, conf})
}

// conf is who the members are at an index at or above the newest snapshot.
func (s *storage) conf(index uint64) *pb.ConfState {
	conf := s.confs[0].conf
	for _, c := range s.confs {
		if c.index <= index {
			conf = c.conf
		}
	}
	return conf
}

// Snapshot is raft's source of what it sends to members that lack entries.
func (s *storage) Snapshot() (*pb.Snapshot, error) {
	if len(s.confs) > 1 {
		return nil, raft.ErrSnapshotTemporarilyUnavailable // a new member would not find itself in it
	}
	return s.MemoryStorage.Snapshot()
}

// openStorage reads what the voter had when it stopped; an empty directory becomes that of a new voter.
func openStorage(cfg Config) (*storage, error) {
	if err := cfg.FS.MkdirAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("quorum: make %s: %w", cfg.Dir, err)
	}
	if err := cfg.FS.SyncDir(path.Dir(path.Clean(cfg.Dir))); err != nil {
		return nil, fmt.Errorf("quorum: sync parent of %s: %w", cfg.Dir, err)
	}
	s := &storage{MemoryStorage: raft.NewMemoryStorage(), cfg: cfg}
	snap, err := readSnapshot(cfg.FS, cfg.Dir)
	if err != nil {
		return nil, err
	}
	if snap == nil && len(cfg.Voters) > 0 {
		if snap, err = s.bootstrap(); err != nil {
			return nil, err
		}
	}
	if s.vote, err = readVote(cfg.FS, cfg.Dir); err != nil {
		return nil, err
	}
	if s.synced, err = readSynced(cfg.FS, cfg.Dir); err != nil {
		return nil, err
	}
	if s.log, err = cfg.openLog(s.synced); err != nil {
		return nil, fmt.Errorf("quorum: open log: %w", err)
	}
	if err := cfg.FS.SyncDir(cfg.Dir); err != nil { // the log's directory may be new
		return nil, errors.Join(fmt.Errorf("quorum: sync %s: %w", cfg.Dir, err), s.log.Close())
	}
	if err := s.load(snap); err != nil {
		return nil, errors.Join(err, s.log.Close())
	}
	return s, nil
}

// bootstrap writes the first snapshot. All first voters write the same one, which stands for an entry they agreed on.
func (s *storage) bootstrap() (*pb.Snapshot, error) {
	snap := &pb.Snapshot{Data: s.cfg.Genesis, Metadata: &pb.SnapshotMetadata{
		Index: new(uint64(1)), Term: new(uint64(1)), ConfState: &pb.ConfState{Voters: s.cfg.Voters},
	}}
	if err := writeSnapshot(s.cfg.FS, s.cfg.Dir, snap); err != nil {
		return nil, fmt.Errorf("quorum: write first snapshot: %w", err)
	}
	return snap, nil
}

func (s *storage) load(snap *pb.Snapshot) error {
	index, term := snap.GetMetadata().GetIndex(), snap.GetMetadata().GetTerm()
	if snap != nil {
		if err := s.ApplySnapshot(snap); err != nil {
			return fmt.Errorf("quorum: load snapshot %d: %w", index, err)
		}
	}
	s.snapshot = index
	s.confs = []confAt{{index, snap.GetMetadata().GetConfState()}}
	follows, err := s.logFollows(index, term)
	if err != nil {
		return err
	}
	if !follows {
		// A crash came between an installed snapshot and the reset of the log that it replaces.
		if err := s.resetLog(index); err != nil {
			return err
		}
	}
	var entries []*pb.Entry
	err = readEntries(s.log, index+1, func(e *pb.Entry) error {
		entries = append(entries, e)
		s.bytes += len(e.GetData())
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.Append(entries); err != nil {
		return fmt.Errorf("quorum: load entries: %w", err)
	}
	hs := &pb.HardState{Term: new(max(s.vote.GetTerm(), term)), Vote: new(s.vote.GetVote()), Commit: new(index)}
	if last := len(entries); last > 0 && entries[last-1].GetTerm() > hs.GetTerm() {
		return fmt.Errorf("quorum: entry %d has term %d, the vote file only %d; was the vote file replaced by an old copy?",
			entries[last-1].GetIndex(), entries[last-1].GetTerm(), hs.GetTerm())
	}
	return s.SetHardState(hs)
}

// logFollows reports whether the log's entries above a snapshot continue it.
func (s *storage) logFollows(index, term uint64) (bool, error) {
	start, end := uint64(s.log.Start()), uint64(s.log.End())
	switch {
	case start == index+1:
		return true, nil
	case start > index || end <= index:
		return false, nil
	}
	same := false
	found := errors.New("found")
	err := readEntries(s.log, index, func(e *pb.Entry) error {
		same = e.GetTerm() == term
		return found
	})
	if err != nil && !errors.Is(err, found) {
		return false, err
	}
	return same, nil
}

// save makes a Ready's vote, snapshot and entries durable and then visible to raft.
func (s *storage) save(rd raft.Ready) error {
	if hs := rd.HardState; !raft.IsEmptyHardState(hs) {
		if hs.GetTerm() != s.vote.GetTerm() || hs.GetVote() != s.vote.GetVote() {
			// The commit index needs no disk: raft finds it again, and a stale one on disk would have to be checked.
			vote := &pb.HardState{Term: new(hs.GetTerm()), Vote: new(hs.GetVote())}
			if err := writeVote(s.cfg.FS, s.cfg.Dir, vote); err != nil {
				return fmt.Errorf("quorum: write vote: %w", err)
			}
			s.vote = vote
		}
		if err := s.SetHardState(hs); err != nil {
			return err
		}
	}
	if !raft.IsEmptySnap(rd.Snapshot) {
		if err := s.install(rd.Snapshot); err != nil {
			return err
		}
	}
	return s.append(rd.Entries)
}

// install replaces everything by a snapshot from the leader.
func (s *storage) install(snap *pb.Snapshot) error {
	index := snap.GetMetadata().GetIndex()
	if err := writeSnapshot(s.cfg.FS, s.cfg.Dir, snap); err != nil {
		return fmt.Errorf("quorum: write snapshot %d: %w", index, err)
	}
	if err := s.resetLog(index); err != nil {
		return err
	}
	s.snapshot, s.bytes = index, 0
	s.confs = []confAt{{index, snap.GetMetadata().GetConfState()}}
	return s.ApplySnapshot(snap)
}

// resetLog empties the log, which goes on behind a snapshot.
func (s *storage) resetLog(snapshot uint64) error {
	if err := s.setSynced(0); err != nil {
		return err
	}
	if err := s.log.ResetTo(int64(snapshot) + 1); err != nil {
		return fmt.Errorf("quorum: reset log after snapshot %d: %w", snapshot, err)
	}
	return nil
}

func (s *storage) setSynced(end int64) error {
	if end == s.synced {
		return nil
	}
	if err := writeSynced(s.cfg.FS, s.cfg.Dir, end); err != nil {
		return err
	}
	s.synced = end
	return nil
}

// close closes the log after noting how far it goes, which a full disk may prevent.
func (s *storage) close() error {
	err := s.setSynced(s.log.Durable())
	if noSpace(err) {
		err = nil
	}
	return errors.Join(err, s.log.Close())
}

func (s *storage) append(entries []*pb.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	first := entries[0].GetIndex()
	if int64(first) < s.log.End() {
		if int64(first) < s.synced {
			if err := s.setSynced(int64(first)); err != nil {
				return err
			}
		}
		if _, err := s.log.TruncateTo(int64(first)); err != nil {
			return fmt.Errorf("quorum: truncate log to %d: %w", first, err)
		}
	}
	var err error
	if s.buf, err = appendEntries(s.buf[:0], &s.builder, entries); err != nil {
		return err
	}
	if err := s.log.AppendAt(s.buf); err != nil {
		return fmt.Errorf("quorum: append entry %d: %w", first, err)
	}
	if _, err := s.log.Sync(); err != nil {
		return fmt.Errorf("quorum: sync entry %d: %w", first, err)
	}
	for _, e := range entries {
		s.bytes += len(e.GetData())
	}
	if cap(s.buf) > 1<<20 {
		s.buf = nil
	}
	return s.Append(entries)
}

// compact replaces the entries up to index by a snapshot of the state there, but for the last few.
func (s *storage) compact(index uint64, data []byte) error {
	conf := s.conf(index)
	snap, err := s.CreateSnapshot(index, conf, data)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return nil // a newer one was installed meanwhile
	}
	if err != nil {
		return fmt.Errorf("quorum: snapshot at %d: %w", index, err)
	}
	if err := writeSnapshot(s.cfg.FS, s.cfg.Dir, snap); err != nil {
		return fmt.Errorf("quorum: write snapshot %d: %w", index, err)
	}
	s.snapshot, s.bytes = index, 0
	s.confs = append([]confAt{{index, conf}}, slices.DeleteFunc(s.confs, func(c confAt) bool { return c.index <= index })...)
	if err := s.setSynced(s.log.Durable()); err != nil {
		return err
	}
	keep := s.cfg.KeepEntries
	if index <= keep+1 {
		return nil
	}
	if err := s.Compact(index - keep); err != nil && !errors.Is(err, raft.ErrCompacted) {
		return fmt.Errorf("quorum: compact to %d: %w", index-keep, err)
	}
	if err := s.log.DeleteBefore(int64(index-keep) + 1); err != nil {
		return fmt.Errorf("quorum: delete entries before %d: %w", index-keep, err)
	}
	return nil
}

// compactionDue reports whether the entries above the last snapshot passed a bound.
func (s *storage) compactionDue(applied uint64) bool {
	return applied > s.snapshot && (len(s.confs) > 1 || applied-s.snapshot >= uint64(s.cfg.CompactEntries) || s.bytes >= s.cfg.CompactBytes)
}
