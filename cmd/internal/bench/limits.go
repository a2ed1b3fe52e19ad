package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

const block = 64 << 10

// limits measures what the machine gives to anybody: writing a file, with and without syncing, and copying over loopback.
func (b *bench) limits(ctx context.Context) error {
	total := b.amount(1 << 30)
	for _, sync := range []bool{false, true} {
		bytes := total
		name := "limit: write a file in 64 KiB blocks"
		if sync {
			name, bytes = name+", fdatasync after each", total/16
		}
		s, err := b.median(ctx, func(context.Context, int) (sample, error) {
			return writeFile(filepath.Join(b.dir, "limit"), bytes, sync)
		})
		if err != nil {
			return err
		}
		b.add(row{name: name, rate: megabytes(bytes, s), client: s.client, per: gigabytes(bytes)})
	}
	s, err := b.median(ctx, func(context.Context, int) (sample, error) { return copyLoopback(2 * total) })
	if err != nil {
		return err
	}
	b.add(row{name: "limit: copy over loopback in 64 KiB blocks", rate: megabytes(2*total, s), client: s.client, per: gigabytes(2 * total)})
	return nil
}

func megabytes(bytes int, s sample) string {
	return fmt.Sprintf("%.0f MB/s", float64(bytes)/1e6/s.took.Seconds())
}

func gigabytes(bytes int) string { return fmt.Sprintf("%.2f GB", float64(bytes)/1e9) }

func writeFile(path string, bytes int, sync bool) (sample, error) {
	f, err := os.Create(path)
	if err != nil {
		return sample{}, err
	}
	defer os.Remove(path)
	defer f.Close()
	data := make([]byte, block)
	return watch(nil, func() error {
		for written := 0; written < bytes; written += len(data) {
			if _, err := f.Write(data); err != nil {
				return err
			}
			if sync {
				if err := syscall.Fdatasync(int(f.Fd())); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func copyLoopback(bytes int) (sample, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return sample{}, err
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			sent <- err
			return
		}
		defer c.Close()
		data := make([]byte, block)
		for n := 0; n < bytes; n += len(data) {
			if _, err := c.Write(data); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	return watch(nil, func() error {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		data := make([]byte, block)
		for {
			if _, err := c.Read(data); err == io.EOF {
				return <-sent
			} else if err != nil {
				return err
			}
		}
	})
}
