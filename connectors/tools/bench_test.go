package tools_test

import (
	"io"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/connectors/tools"
)

func verifiable(b *testing.B, kind connectors.Kind) connectors.Plugin {
	for _, p := range tools.PluginsWritingTo(io.Discard) {
		if p.Kind == kind && p.Class == "org.apache.kafka.connect.tools.VerifiableS"+string(kind)[1:]+"Connector" {
			return p
		}
	}
	b.Fatal("no such plugin")
	return connectors.Plugin{}
}

func BenchmarkVerifiableSource(b *testing.B) {
	task := verifiable(b, connectors.KindSource).NewSource().NewTask()
	config := map[string]string{"name": "c", "id": "0", "topic": "t", "throughput": "-1"}
	if err := task.Start(b.Context(), connectortest.NewSourceContext(b), config); err != nil {
		b.Fatal(err)
	}
	committer := task.(connectors.RecordCommitter)
	acked := make([]connectors.CommittedRecord, 0, 1000)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		records, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		acked = acked[:0]
		for i := range records {
			acked = append(acked, connectors.CommittedRecord{Record: &records[i]})
		}
		if err := committer.CommitRecords(b.Context(), acked); err != nil {
			b.Fatal(err)
		}
		n += len(records)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkVerifiableSink(b *testing.B) {
	task := verifiable(b, connectors.KindSink).NewSink().NewTask()
	if err := task.Start(b.Context(), new(connectortest.SinkContext), map[string]string{"name": "c", "id": "0"}); err != nil {
		b.Fatal(err)
	}
	records := make([]connectors.SinkRecord, 500)
	for i := range records {
		records[i] = connectortest.Record("t", int64(i), connectors.Int64Schema, int64(i))
	}
	offsets := map[connectors.TopicPartition]int64{{Topic: "t"}: 500}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		if err := task.Put(b.Context(), records); err != nil {
			b.Fatal(err)
		}
		if err := task.Flush(b.Context(), offsets); err != nil {
			b.Fatal(err)
		}
		n += len(records)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
