package tools

import (
	"context"
	"strconv"
	"strings"
	"time"

	"millrace/connectors"
)

// completeSchema is the value's under complete.record.data.
var completeSchema = connectors.StructOf(
	connectors.Field{Name: "name", Schema: connectors.StringSchema},
	connectors.Field{Name: "task", Schema: connectors.Int32Schema},
	connectors.Field{Name: "topic", Schema: connectors.StringSchema},
	connectors.Field{Name: "time_ms", Schema: connectors.Int64Schema},
	connectors.Field{Name: "seqno", Schema: connectors.Int64Schema},
)

type verifiableSourceTask struct {
	out      *lines
	gen      generator
	name     string
	complete bool
	tail     string // the line after time_ms
	made     []byte // lines of the records of one poll
	acked    []byte // lines of one CommitRecords, which runs beside Poll
}

var (
	_ connectors.SourceTask      = (*verifiableSourceTask)(nil)
	_ connectors.RecordCommitter = (*verifiableSourceTask)(nil)
)

func (t *verifiableSourceTask) Start(ctx context.Context, tc connectors.SourceTaskContext, config map[string]string) error {
	values, err := parse(verifiableSourceDef(), "VerifiableSourceTask", config)
	if err != nil {
		return err
	}
	t.name = values.String(keyName)
	t.complete = strings.EqualFold(values.String(keyCompleteData), "true")
	t.tail = string(appendTail(nil, t.name, values.String(keyTopic))) + "}\n"
	return t.gen.start(ctx, tc, values)
}

func (t *verifiableSourceTask) Poll(ctx context.Context) ([]connectors.SourceRecord, error) {
	records := t.gen.records(ctx, maxBatch)
	now := time.Now().UnixMilli()
	var key any = t.gen.id
	t.made = t.made[:0]
	for i := range records {
		r := &records[i]
		r.KeySchema, r.Key = connectors.Int32Schema, key
		n := numberOf(r)
		if t.complete {
			r.ValueSchema, r.Value = completeSchema, t.completeValue(now, n)
		} else {
			r.ValueSchema, r.Value = connectors.Int64Schema, n
		}
		t.made = t.appendLine(append(t.made, '{'), now, n)
	}
	return records, t.out.write(t.made)
}

func (t *verifiableSourceTask) CommitRecords(_ context.Context, records []connectors.CommittedRecord) error {
	now := time.Now().UnixMilli()
	t.acked = t.acked[:0]
	for i := range records {
		t.acked = t.appendLine(append(t.acked, `{"committed":true,`...), now, numberOf(records[i].Record))
	}
	return t.out.write(t.acked)
}

func (t *verifiableSourceTask) Stop(context.Context) error { return nil }

func numberOf(r *connectors.SourceRecord) int64 {
	if n, ok := r.SourceOffset.(*seqno); ok {
		return int64(*n)
	}
	return -1 // not a record of ours
}

func (t *verifiableSourceTask) appendLine(b []byte, now, n int64) []byte {
	b = append(b, `"task":`...)
	b = strconv.AppendInt(b, int64(t.gen.id), 10)
	b = append(b, `,"seqno":`...)
	b = strconv.AppendInt(b, n, 10)
	b = append(b, `,"time_ms":`...)
	b = strconv.AppendInt(b, now, 10)
	return append(b, t.tail...)
}

func (t *verifiableSourceTask) completeValue(now, n int64) *connectors.Struct {
	s := connectors.NewStruct(completeSchema)
	for i, v := range []any{t.name, t.gen.id, t.gen.topic, now, n} {
		s.Set(i, v)
	}
	return s
}
