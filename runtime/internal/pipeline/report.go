package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/connectors"
)

// Consumed is a record as the log has it.
type Consumed = kgo.Record

// logReporter writes failures to the log (errors.log.enable).
type logReporter struct {
	log       connectors.Logger
	connector string
	task      int
	include   bool
	counts    Counts
}

func (l *logReporter) Report(_ context.Context, f *Failure) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Error encountered in task %s-%d. Executing stage '%s' with class '%s'", l.connector, l.task, f.Stage, f.Class)
	if r := f.Consumed; l.include && r != nil {
		fmt.Fprintf(&b, ", where consumed record is {topic='%s', partition=%d, offset=%d, timestamp=%d, timestampType=%s}",
			r.Topic, r.Partition, r.Offset, r.Timestamp.UnixMilli(), timestampType(r))
	}
	if r := f.Source; l.include && r != nil {
		fmt.Fprintf(&b, ", where source record is {topic='%s', partition=%d, timestamp=%d}", r.Topic, r.Partition, r.Timestamp)
	}
	b.WriteByte('.')
	l.log.Error(b.String(), "err", f.Err)
	count(l.counts.Logged)
	return nil
}

func timestampType(r *Consumed) string {
	switch r.Attrs.TimestampType() {
	case 0:
		return "CreateTime"
	case 1:
		return "LogAppendTime"
	}
	return "NoTimestampType"
}

// ContextHeaders are the headers that tell of a failure in the dead letter queue, in Kafka Connect's order. Those of source
// records, which Kafka Connect does not have, say where the record was going and where it came from. redact, if not nil, sees the texts of the error first.
func ContextHeaders(connector string, task int, f *Failure, redact func(string) string) []kgo.RecordHeader {
	if redact == nil {
		redact = func(text string) string { return text }
	}
	header := func(name, value string) kgo.RecordHeader {
		return kgo.RecordHeader{Key: "__connect.errors." + name, Value: []byte(value)}
	}
	var headers []kgo.RecordHeader
	if r := f.Consumed; r != nil {
		headers = append(headers,
			header("topic", r.Topic),
			header("partition", strconv.Itoa(int(r.Partition))),
			header("offset", strconv.FormatInt(r.Offset, 10)))
	}
	if r := f.Source; r != nil {
		headers = append(headers, header("topic", r.Topic))
		if r.Partition >= 0 {
			headers = append(headers, header("partition", strconv.Itoa(int(r.Partition))))
		}
		if r.SourcePartition != nil {
			headers = append(headers, header("source.partition", asJSON(r.SourcePartition.Map())))
		}
		if r.SourceOffset != nil {
			headers = append(headers, header("source.offset", asJSON(r.SourceOffset.Map())))
		}
	}
	return append(headers,
		header("connector.name", connector),
		header("task.id", strconv.Itoa(task)),
		header("stage", string(f.Stage)),
		header("class.name", f.Class),
		header("exception.class.name", ErrorClass(f.Err)),
		header("exception.message", redact(f.Err.Error())),
		header("exception.stacktrace", redact(Trace(f.Err))))
}

func asJSON(m map[string]any) string {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Sprint(m)
	}
	return string(data)
}
