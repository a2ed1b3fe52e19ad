package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"millrace/cmd/internal/proc"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	runs := flags.Int("runs", 5, "runs of each measurement; the median is shown")
	scale := flags.Int("scale", 100, "percent of the full amount of data")
	only := flags.String("only", "", "measure only the group of this name: limits, log, files, activemq, changes, idle")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	dir, err := os.MkdirTemp("", "millrace-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := proc.Build(ctx, "millrace/cmd/millrace", dir)
	if err != nil {
		return err
	}
	b := &bench{dir: dir, bin: bin, runs: *runs, scale: *scale}
	b.describe()
	groups := []struct {
		name    string
		measure func(context.Context) error
	}{
		{"limits", b.limits}, {"log", b.log}, {"files", b.files}, {"activemq", b.activeMQ}, {"changes", b.changes}, {"idle", b.idle},
	}
	found := false
	for _, g := range groups {
		if *only != "" && *only != g.name {
			continue
		}
		found = true
		if err := g.measure(ctx); err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		debug.FreeOSMemory()
	}
	if !found {
		return fmt.Errorf("-only %s: there is no such group", *only)
	}
	return b.print()
}

type bench struct {
	dir   string
	bin   string
	runs  int
	scale int
	rows  []row
}

// A row is one line of the table; zero figures are left out.
type row struct {
	name   string
	rate   string
	client time.Duration // CPU per million records, or of the whole run
	server time.Duration
	per    string // what the CPU times are for
	rss    int64
	note   string
}

func (b *bench) amount(n int) int { return max(1, n*b.scale/100) }

func (b *bench) describe() {
	version := "unknown kernel"
	var u syscall.Utsname
	if err := syscall.Uname(&u); err == nil {
		version = "Linux " + charsToString(u.Release[:])
	}
	fmt.Printf("%s, %s, %d CPUs, %s, median of %d runs\n", runtime.Version(), version, runtime.NumCPU(), peers(), b.runs)
}

func (b *bench) add(r row) {
	b.rows = append(b.rows, r)
	fmt.Fprintf(os.Stderr, "%-60s %-30s client %6s server %6s %s\n", r.name, r.rate, seconds(r.client), seconds(r.server), r.note)
}

func (b *bench) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmedian\tclient CPU s\tserver CPU s\tper\tpeak server RSS\tacknowledged from")
	for _, r := range b.rows {
		rss := ""
		if r.rss > 0 {
			rss = fmt.Sprintf("%d MB", r.rss>>20)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.name, r.rate, seconds(r.client), seconds(r.server), r.per, rss, r.note)
	}
	return w.Flush()
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", d.Seconds())
}

// A sample is what one run of a measurement took.
type sample struct {
	took           time.Duration
	client, server time.Duration
	rss            int64
}

// median runs measure and returns the median of each figure.
func (b *bench) median(ctx context.Context, measure func(ctx context.Context, run int) (sample, error)) (sample, error) {
	samples := make([]sample, 0, b.runs)
	for i := range b.runs {
		s, err := measure(ctx, i)
		if err != nil {
			return sample{}, err
		}
		samples = append(samples, s)
	}
	return medianOf(samples), nil
}

func medianOf(samples []sample) sample {
	return sample{
		took:   middle(samples, func(s sample) time.Duration { return s.took }),
		client: middle(samples, func(s sample) time.Duration { return s.client }),
		server: middle(samples, func(s sample) time.Duration { return s.server }),
		rss:    middle(samples, func(s sample) int64 { return s.rss }),
	}
}

func middle[T int64 | time.Duration](samples []sample, figure func(sample) T) T {
	figures := make([]T, len(samples))
	for i, s := range samples {
		figures[i] = figure(s)
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}

// watch measures time and the CPU of this process and, if there is one, of the worker.
func watch(w *proc.Worker, work func() error) (sample, error) {
	var s sample
	client, err := proc.CPU(os.Getpid())
	if err != nil {
		return s, err
	}
	var server time.Duration
	if w != nil {
		if server, err = w.CPU(); err != nil {
			return s, err
		}
		if err := w.ResetPeak(); err != nil {
			return s, err
		}
	}
	begin := time.Now()
	if err := work(); err != nil {
		return s, err
	}
	s.took = time.Since(begin)
	after, err := proc.CPU(os.Getpid())
	if err != nil {
		return s, err
	}
	s.client = after - client
	if w != nil {
		if after, err = w.CPU(); err != nil {
			return s, err
		}
		s.server = after - server
		if s.rss, err = w.PeakRSS(); err != nil {
			return s, err
		}
	}
	return s, nil
}

// perMillion scales a CPU time of n records to a million.
func perMillion(d time.Duration, n int) time.Duration {
	return time.Duration(float64(d) * 1e6 / float64(n))
}
