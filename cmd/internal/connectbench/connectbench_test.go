package connectbench_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"text/tabwriter"
	"time"

	"millrace/cmd/internal/proc"
	"millrace/plugins/converters/registrytest"
	"millrace/runtime/kafkatest"
)

var (
	full       = flag.Bool("bench.full", false, "beside Kafka Connect, with all records and connectors")
	lines      = flag.Int("bench.records", 500_000, "records of each round, with -bench.full")
	rounds     = flag.Int("bench.rounds", 3, "rounds that count, with -bench.full")
	connectors = flag.Int("bench.connectors", 1000, "connectors on one worker, with -bench.full; 0 leaves them out")
)

// TestBench measures; without -bench.full only that all of it works, with ours alone.
func TestBench(t *testing.T) {
	bin, err := proc.Build(t.Context(), "millrace/cmd/millrace", t.TempDir())
	check(t, err)
	registry := registrytest.New(t).URL
	if !*full {
		w := ours(t, bin, "")
		w.start()
		check(t, w.ready(t.Context()))
		results := records(t, []*worker{w}, registry, 20_000, 0)
		w.stop()
		show(t.Output(), results, many(t, []*worker{ours(t, bin, "")}, 100, time.Minute))
		return
	}
	k := kafkatest.Start(t, kafkatest.Production())
	workers := []*worker{ours(t, bin, ""), ours(t, bin, k.Addr()), theirs(k)}
	var results []result
	for _, w := range workers {
		w.start()
		check(t, w.ready(t.Context()))
	}
	results = records(t, workers, registry, *lines, *rounds)
	for _, w := range workers {
		w.stop()
	}
	k.Reset()
	var crowds []crowd
	if *connectors > 0 {
		crowds = many(t, []*worker{ours(t, bin, ""), ours(t, bin, k.Addr()), theirs(k)}, *connectors, 10*time.Minute)
	}
	fmt.Printf("%s, %d CPUs, %d lines of 100 B, median of %d rounds\n", runtime.Version(), runtime.NumCPU(), *lines, *rounds)
	show(os.Stdout, results, crowds)
}

func show(out io.Writer, results []result, crowds []crowd) {
	theirs := make(map[string]result)
	for _, r := range results {
		if r.worker == javas {
			theirs[r.path] = r
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "file -> topic -> file\tworker\tin\tout\tCPU s per million\trecords per CPU s\tpeak RSS\tbeside Kafka Connect")
	for _, r := range results {
		n := float64(r.records)
		beside := ""
		if j, ok := theirs[r.path]; ok && r.worker != javas {
			beside = fmt.Sprintf("%.1f x records per CPU s, 1/%.1f of the memory", float64(j.cpu)/float64(r.cpu), float64(j.peak)/float64(r.peak))
		}
		fmt.Fprintf(w, "%s\t%s\t%.0f k/s\t%.0f k/s\t%.2f\t%.0f k\t%d MB\t%s\n", r.path, r.worker, n/r.in.Seconds()/1000, n/r.out.Seconds()/1000,
			r.cpu.Seconds()*1e6/n, n/r.cpu.Seconds()/1000, r.peak>>20, beside)
	}
	fmt.Fprintln(w, "\nconnectors\tworker\tall RUNNING after\tCPU s until then\tRSS then\tpeak RSS\tGET status p99\tGET expand p99\tdid not get there")
	for _, c := range crowds {
		failed := ""
		if c.failed != nil {
			failed = c.failed.Error()
		}
		fmt.Fprintf(w, "%d\t%s\t%.2f s\t%.1f\t%d MB\t%d MB\t%.2f ms\t%.1f ms\t%s\n", c.connectors, c.worker, c.start.Seconds(), c.cpu.Seconds(), c.memory>>20, c.peak>>20,
			float64(c.status.Microseconds())/1000, float64(c.expand.Microseconds())/1000, failed)
	}
	_ = w.Flush() // to the test's output
}
