package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Snappy data comes bare, as most clients send it, or in the frames of the xerial library, as Java does: a magic, two
// int32 versions, then int32 length and one bare snappy block, repeated.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const (
	xerialHeader = 16
	xerialBlock  = 32 << 10
)

var (
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	gzips   = sync.Pool{New: func() any { return new(gzip.Reader) }}
	lz4s    = sync.Pool{New: func() any { return lz4.NewReader(nil) }}

	gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

	zstdReader = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxUnpacked), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderConcurrency(0))
	})
	zstdWriter = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithLowerEncoderMem(true))
	})
)

// keepBuffer is the largest buffer that goes back to the pool.
const keepBuffer = 4 << 20

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// unpack returns data decompressed; release gives its memory back.
func unpack(c Codec, data []byte, limit int) (out []byte, release func(), err error) {
	if c == CodecNone {
		if len(data) > limit {
			return nil, nil, tooLarge(limit)
		}
		return data, func() {}, nil
	}
	buf := buffers.Get().(*bytes.Buffer)
	if err := unpackTo(buf, c, data, limit); err != nil {
		putBuffer(buf)
		return nil, nil, fmt.Errorf("%v: %w", c, err)
	}
	return buf.Bytes(), func() { putBuffer(buf) }, nil
}

func unpackTo(buf *bytes.Buffer, c Codec, data []byte, limit int) error {
	switch c {
	case CodecGzip:
		z := gzips.Get().(*gzip.Reader)
		defer gzips.Put(z)
		if err := z.Reset(bytes.NewReader(data)); err != nil {
			return unpackError(err)
		}
		return copyLimited(buf, z, limit)
	case CodecLZ4:
		z := lz4s.Get().(*lz4.Reader)
		defer lz4s.Put(z)
		z.Reset(bytes.NewReader(data))
		return copyLimited(buf, z, limit)
	case CodecSnappy:
		return unpackSnappy(buf, data, limit)
	case CodecZstd:
		return unpackZstd(buf, data, limit)
	}
	return recordsError("codec 0 to 4", "%d", int(c))
}

func copyLimited(buf *bytes.Buffer, r io.Reader, limit int) error {
	n, err := buf.ReadFrom(io.LimitReader(r, int64(limit)+1))
	if err != nil {
		return unpackError(err)
	}
	if n > int64(limit) {
		return tooLarge(limit)
	}
	return nil
}

func unpackZstd(buf *bytes.Buffer, data []byte, limit int) error {
	z, err := zstdReader()
	if err != nil {
		return err
	}
	var header zstd.Header
	if header.Decode(data) == nil && header.HasFCS && header.FrameContentSize > uint64(limit) {
		return tooLarge(limit) // before memory for it is made
	}
	out, err := z.DecodeAll(data, buf.AvailableBuffer())
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return tooLarge(MaxUnpacked)
	case err != nil:
		return unpackError(err)
	case len(out) > limit:
		return tooLarge(limit)
	}
	*buf = *bytes.NewBuffer(out)
	return nil
}

func unpackSnappy(buf *bytes.Buffer, data []byte, limit int) error {
	if !bytes.HasPrefix(data, xerialMagic) {
		return unpackSnappyBlock(buf, data, limit)
	}
	if len(data) < xerialHeader {
		return recordsError("a snappy frame header", "%d bytes", len(data))
	}
	data = data[xerialHeader:]
	for len(data) > 0 {
		if len(data) < 4 {
			return recordsError("a snappy block length", "%d bytes", len(data))
		}
		n := int32(binary.BigEndian.Uint32(data))
		data = data[4:]
		if n < 0 || int(n) > len(data) {
			return recordsError(fmt.Sprintf("a snappy block of at most %d bytes", len(data)), "%d", n)
		}
		if err := unpackSnappyBlock(buf, data[:n], limit); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

func unpackSnappyBlock(buf *bytes.Buffer, data []byte, limit int) error {
	n, err := snappy.DecodedLen(data)
	if err != nil {
		return unpackError(err)
	}
	if n > limit-buf.Len() {
		return tooLarge(limit)
	}
	buf.Grow(n)
	out, err := snappy.Decode(buf.AvailableBuffer()[:n], data)
	if err != nil {
		return unpackError(err)
	}
	_, err = buf.Write(out)
	return err
}

func unpackError(err error) error { return fmt.Errorf("%w: unpack: %w", ErrRecords, err) }

func tooLarge(limit int) error {
	return &FormatError{ErrTooLarge, fmt.Sprintf("at most %d bytes unpacked", limit), "more"}
}

// pack appends data to dst, compressed.
func pack(dst []byte, c Codec, data []byte) ([]byte, error) {
	switch c {
	case CodecNone:
		return append(dst, data...), nil
	case CodecGzip:
		w := bytes.NewBuffer(dst)
		z := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(z)
		z.Reset(w)
		if _, err := z.Write(data); err != nil {
			return nil, err
		}
		err := z.Close()
		return w.Bytes(), err
	case CodecSnappy:
		dst = append(dst, xerialMagic...)
		dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 1)
		for len(data) > 0 {
			n := min(len(data), xerialBlock)
			block := snappy.Encode(nil, data[:n])
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(block)))
			dst = append(dst, block...)
			data = data[n:]
		}
		return dst, nil
	case CodecLZ4:
		w := bytes.NewBuffer(dst)
		z := lz4.NewWriter(w)
		if err := z.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)); err != nil {
			return nil, err
		}
		if _, err := z.Write(data); err != nil {
			return nil, err
		}
		err := z.Close()
		return w.Bytes(), err
	case CodecZstd:
		z, err := zstdWriter()
		if err != nil {
			return nil, err
		}
		return z.EncodeAll(data, dst), nil
	}
	return nil, recordsError("codec 0 to 4", "%d", int(c))
}
