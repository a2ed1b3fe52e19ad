package external_test

import (
	"testing"

	"millrace/connectors/connectortest"
)

// BenchmarkSource measures records of 500 bytes from a plugin's Poll to the worker's, acknowledged batch by batch.
func BenchmarkSource(b *testing.B) {
	p := plugin(b, "test.Source", nil)
	task := p.NewSource().NewTask()
	if err := task.Start(b.Context(), connectortest.NewSourceContext(b), config("big")); err != nil {
		b.Fatal(err)
	}
	records := 0
	b.ReportAllocs()
	for b.Loop() {
		batch, err := task.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		records += len(batch)
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	if err := task.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}

// BenchmarkSink measures batches of 1000 records into a plugin's Put.
func BenchmarkSink(b *testing.B) {
	p := plugin(b, "test.Sink", nil)
	task := p.NewSink().NewTask()
	if err := task.Start(b.Context(), new(connectortest.SinkContext), config("")); err != nil {
		b.Fatal(err)
	}
	values := make([]string, 1000)
	for i := range values {
		values[i] = "a line of about fifty characters as files have it"
	}
	batch, records := connectortest.Records("topic", 0, values...), 0
	b.ReportAllocs()
	for b.Loop() {
		if err := task.Put(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		records += len(batch)
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
	if err := task.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}
