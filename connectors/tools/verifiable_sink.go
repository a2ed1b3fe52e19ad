package tools

import (
	"context"
	"strconv"
	"time"

	"millrace/connectors"
)

// commitBytes is how many bytes of lines are kept for the flush before a commit is asked for.
const commitBytes = 8 << 20

type verifiableSinkTask struct {
	out       *lines
	tc        connectors.SinkTaskContext
	name      string
	id        int32
	unflushed map[connectors.TopicPartition]*unflushed
	kept      int  // bytes in unflushed
	asked     bool // for a commit since the last flush
	buf       []byte
}

// unflushed are the lines of one partition that come again at the flush: each in two parts, around the time.
type unflushed struct {
	text []byte
	ends []int // of each part
}

var (
	_ connectors.SinkTask          = (*verifiableSinkTask)(nil)
	_ connectors.PartitionListener = (*verifiableSinkTask)(nil)
)

func (t *verifiableSinkTask) Start(_ context.Context, tc connectors.SinkTaskContext, config map[string]string) error {
	values, err := parse(verifiableSinkDef(), "VerifiableSinkTask", config)
	if err != nil {
		return err
	}
	t.tc, t.name, t.id = tc, values.String(keyName), values.Int(keyID)
	t.unflushed = make(map[connectors.TopicPartition]*unflushed)
	return nil
}

func (t *verifiableSinkTask) Put(_ context.Context, records []connectors.SinkRecord) error {
	now := time.Now().UnixMilli()
	t.buf = t.buf[:0]
	for i := range records {
		r := &records[i]
		u := t.unflushed[r.Original]
		if u == nil {
			u = new(unflushed)
			t.unflushed[r.Original] = u
		}
		before := len(u.text)
		u.add(r, t.name, t.id)
		t.kept += len(u.text) - before
		t.buf = append(u.appendLine(t.buf, len(u.ends)-2, now), "}\n"...)
	}
	if t.kept >= commitBytes && !t.asked {
		t.asked = true
		t.tc.RequestCommit()
	}
	return t.out.write(t.buf)
}

func (t *verifiableSinkTask) Flush(_ context.Context, offsets map[connectors.TopicPartition]int64) error {
	now := time.Now().UnixMilli()
	t.buf, t.asked = t.buf[:0], false
	for tp := range offsets {
		u := t.unflushed[tp]
		if u == nil {
			continue
		}
		for i := 0; i < len(u.ends); i += 2 {
			t.buf = append(u.appendLine(t.buf, i, now), `,"flushed":true}`+"\n"...)
		}
		t.forget(tp)
	}
	err := t.out.write(t.buf)
	if cap(t.buf) > commitBytes {
		t.buf = nil
	}
	return err
}

func (t *verifiableSinkTask) OpenPartitions(context.Context, []connectors.TopicPartition) error {
	return nil
}

// ClosePartitions forgets lines that were not flushed: the next owner of the partition reads the records again.
func (t *verifiableSinkTask) ClosePartitions(_ context.Context, partitions []connectors.TopicPartition) error {
	for _, tp := range partitions {
		t.forget(tp)
	}
	return nil
}

func (t *verifiableSinkTask) Stop(context.Context) error { return nil }

func (t *verifiableSinkTask) forget(tp connectors.TopicPartition) {
	if u := t.unflushed[tp]; u != nil {
		t.kept -= len(u.text)
		delete(t.unflushed, tp)
	}
}

// add keeps the line of a record.
func (u *unflushed) add(r *connectors.SinkRecord, name string, task int32) {
	b := append(u.text, `{"task":`...)
	b = appendJSON(b, r.Key)
	b = append(b, `,"seqno":`...)
	b = appendJSON(b, r.Value)
	b = append(b, `,"offset":`...)
	b = strconv.AppendInt(b, r.Offset, 10)
	b = append(b, `,"time_ms":`...)
	middle := len(b)
	b = appendTail(b, name, r.Topic)
	b = append(b, `,"sinkTask":`...)
	u.text = strconv.AppendInt(b, int64(task), 10)
	u.ends = append(u.ends, middle, len(u.text))
}

// appendLine appends the line whose parts end at ends[i] and ends[i+1], without the closing brace.
func (u *unflushed) appendLine(b []byte, i int, now int64) []byte {
	begin := 0
	if i > 0 {
		begin = u.ends[i-1]
	}
	b = append(b, u.text[begin:u.ends[i]]...)
	b = strconv.AppendInt(b, now, 10)
	return append(b, u.text[u.ends[i]:u.ends[i+1]]...)
}
