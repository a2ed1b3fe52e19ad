package quorum

import (
	"fmt"
	"math"

	pb "go.etcd.io/raft/v3/raftpb"

	"millrace/broker/batch"
	"millrace/broker/commitlog"
)

// appendEntries appends raft entries to dst as record batches.
func appendEntries(dst []byte, w *batch.Builder, entries []*pb.Entry) ([]byte, error) {
	for _, e := range entries {
		if e.GetTerm() > math.MaxInt32 {
			return nil, fmt.Errorf("quorum: term %d does not fit a leader epoch", e.GetTerm())
		}
		w.Reset(batch.Meta{
			BaseOffset: int64(e.GetIndex()), LeaderEpoch: int32(e.GetTerm()),
			ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1,
		})
		w.Add(0, []byte{byte(e.GetType())}, e.GetData())
		var err error
		if dst, _, err = w.Build(dst); err != nil {
			return nil, fmt.Errorf("quorum: build entry %d: %w", e.GetIndex(), err)
		}
	}
	return dst, nil
}

// decodeEntry reads the entry in a batch, in new memory.
func decodeEntry(b batch.Batch) (*pb.Entry, error) {
	e := &pb.Entry{Index: new(uint64(b.BaseOffset())), Term: new(uint64(b.LeaderEpoch()))}
	n := 0
	err := b.Each(MaxEntry+1024, func(r *batch.Record) error {
		if n++; n > 1 || len(r.Key) != 1 {
			return fmt.Errorf("quorum: entry %d is not one record with a key of one byte", b.BaseOffset())
		}
		e.Type = new(pb.EntryType(r.Key[0]))
		e.Data = append([]byte(nil), r.Value...)
		return nil
	})
	if err == nil && n == 0 {
		err = fmt.Errorf("quorum: entry %d has no record", b.BaseOffset())
	}
	return e, err
}

// readEntries calls fn with every entry from index on.
func readEntries(log *commitlog.Log, from uint64, fn func(*pb.Entry) error) error {
	next := int64(from)
	for next < log.End() {
		slice, err := log.Read(next, log.End(), 1<<20, true)
		if err != nil {
			return fmt.Errorf("quorum: read entry %d: %w", next, err)
		}
		if len(slice.Bytes) == 0 {
			return fmt.Errorf("quorum: entry %d is missing from the log", next)
		}
		for rest := slice.Bytes; len(rest) > 0 && err == nil; {
			var b batch.Batch
			if b, rest, err = batch.Parse(rest); err != nil {
				break
			}
			if b.BaseOffset() != next {
				err = fmt.Errorf("quorum: found entry %d where %d must be", b.BaseOffset(), next)
				break
			}
			next = b.NextOffset()
			var e *pb.Entry
			if e, err = decodeEntry(b); err == nil {
				err = fn(e)
			}
		}
		slice.Release()
		if err != nil {
			return err
		}
	}
	return nil
}
