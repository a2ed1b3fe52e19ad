package commitlog

import (
	"errors"

	"millrace/broker/batch"
	"millrace/broker/internal/vfs"
)

// cleanChunk is how much a pass writes at a time.
const cleanChunk = 256 << 10

// errGone ends a pass: retention has a segment that was to be replaced.
var errGone = errors.New("segment removed by retention")

// cleanGroup copies a group of segments into one, and swaps it in if it is any different.
func (p *pass) cleanGroup(group []view, done *Cleaned) (err error) {
	l := p.log
	out, err := p.newOutput(group[0].base)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, out.discard())
		}
	}()
	changed := len(group) > 1
	old := make([]*segment, len(group))
	for i, v := range group {
		old[i] = v.seg
		done.Read += v.size
		_, err = l.walk(v.seg, 0, v.size, true, func(f frame) error {
			if err := p.ctx.Err(); err != nil {
				return err
			}
			same, err := p.copyBatch(out, f.Batch)
			changed = changed || !same
			return err
		})
		if err != nil {
			return err
		}
	}
	if !changed {
		return out.discard()
	}
	fresh, err := out.finish(l, group)
	if err != nil {
		return err
	}
	swapped, err := l.swap(fresh, old)
	if err != nil {
		return err
	}
	if !swapped {
		return errGone
	}
	done.Segments += len(group)
	done.Written += fresh.size
	return nil
}

// copyBatch writes what stays of a batch, and says whether that is all of it, as it was.
func (p *pass) copyBatch(out *output, b batch.Batch) (same bool, err error) {
	v := p.judge(b)
	mustStay := p.holdsState(b)
	if v.drop || b.Count() == 0 {
		if !mustStay {
			out.dropped(b)
			return false, nil
		}
		if b.Count() == 0 {
			return true, out.add(b)
		}
		return false, out.filter(p.builder, b, -1, func(*batch.Record) bool { return false })
	}
	if b.Control() {
		if had, ok := b.DeleteHorizon(); v.horizon < 0 || ok && had == v.horizon {
			return true, out.add(b)
		}
		return false, out.filter(p.builder, b, v.horizon, func(*batch.Record) bool { return true })
	}
	kept, tombstones := 0, 0
	err = b.Each(0, func(r *batch.Record) error {
		if p.keep(r, v.horizon) {
			kept++
			if r.Value == nil && r.Offset < p.mappedEnd {
				tombstones++
			}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if b.Transactional() && kept > 0 {
		p.openData[b.ProducerID()] = true
	}
	horizon := v.horizon
	switch {
	case tombstones == 0:
		horizon = -1
	case horizon < 0:
		horizon = afterRetention(p.now, p.settings.DeleteRetention)
	}
	switch {
	case kept == 0 && !mustStay:
		out.dropped(b)
		return false, nil
	case kept == int(b.Count()) && horizon == v.horizon:
		return true, out.add(b)
	}
	before := v.horizon
	return false, out.filter(p.builder, b, horizon, func(r *batch.Record) bool { return p.keep(r, before) })
}

// output is a cleaned segment being written.
type output struct {
	log      *Log
	name     string
	file     vfs.File // nil once finished
	seg      *segment
	interval int64
	buf      []byte
	flushed  int64
	scratch  []byte
	gone     map[int64]bool // last offsets of control batches that were dropped
}

func (p *pass) newOutput(base int64) (*output, error) {
	l := p.log
	name := fileName(l.dir, base, logSuffix) + cleanedSuffix
	file, err := l.fs.Create(name)
	if err != nil {
		return nil, cleanError(err)
	}
	seg := l.newSegment(base)
	seg.startIndex()
	return &output{log: l, name: name, file: file, seg: seg, interval: p.settings.IndexIntervalBytes,
		gone: make(map[int64]bool)}, nil
}

// cleanError makes a full disk known as one: nothing has happened to the log, and the next pass may succeed.
func cleanError(err error) error {
	if NoSpace(err) {
		return errors.Join(ErrNoSpace, err)
	}
	return err
}

func (o *output) add(b batch.Batch) error {
	o.seg.add(b, o.interval)
	o.buf = append(o.buf, b...)
	if len(o.buf) < cleanChunk {
		return nil
	}
	return o.flush()
}

func (o *output) filter(w *batch.Builder, b batch.Batch, horizon int64, keep func(*batch.Record) bool) error {
	dst, out, err := w.Filter(o.scratch[:0], b, horizon, keep)
	if err != nil {
		return err
	}
	o.scratch = dst
	return o.add(out)
}

func (o *output) dropped(b batch.Batch) {
	if b.Control() {
		o.gone[b.LastOffset()] = true
	}
}

func (o *output) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	if _, err := o.file.WriteAt(o.buf, o.flushed); err != nil {
		return cleanError(err)
	}
	o.flushed += int64(len(o.buf))
	o.buf = o.buf[:0]
	return nil
}

// finish makes the segment whole and durable, under its temporary name.
func (o *output) finish(l *Log, group []view) (*segment, error) {
	if err := o.flush(); err != nil {
		return nil, err
	}
	if err := o.file.Sync(); err != nil {
		return nil, cleanError(err)
	}
	file := o.file
	o.file = nil
	if err := file.Close(); err != nil {
		return nil, err
	}
	s := o.seg
	s.synced = s.size
	s.finish(group[len(group)-1].end, nil)
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, v := range group {
		for _, a := range v.seg.aborted {
			if !o.gone[a.last] {
				s.aborted = append(s.aborted, a)
			}
		}
	}
	return s, nil
}

// discard removes what was written; nothing of it counts.
func (o *output) discard() error {
	var err error
	if o.file != nil {
		err = o.file.Close()
	}
	return errors.Join(err, removeIfThere(o.log.fs, o.name))
}
