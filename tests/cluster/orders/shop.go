package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// acquireTimeout is how long an order or a readiness check waits for a connection of the pool.
	acquireTimeout = time.Second
	// orderTimeout is longer than the database takes to see a deadlock.
	orderTimeout = 10 * time.Second
	// thinking is the time between the two halves of an order.
	thinking = 50 * time.Millisecond
)

// shop takes orders.
type shop struct {
	settings
	pool           *pgxpool.Pool
	placed, failed atomic.Int64
}

// open fills the pool, so that what the database refuses shows at the start.
func open(ctx context.Context, s settings) (*shop, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	config, err := pgxpool.ParseConfig(s.url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(s.pool)
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, err
	}
	for range s.pool {
		conn, err := pool.Acquire(ctx)
		if err != nil {
			return nil, fmt.Errorf("acquire connection: %w", err)
		}
		defer conn.Release()
	}
	return &shop{settings: s, pool: pool}, nil
}

// order places one order after the other, and returns when there is no point in going on.
func (s *shop) order(ctx context.Context, customer int) error {
	basket := []string{"cup", "plate"}
	if customer%2 == 1 {
		basket = []string{"plate", "cup"}
	}
	for {
		if err := s.place(ctx, basket); err != nil {
			slog.Error("order failed", "customer", customer, "err", err)
			if failed := s.failed.Add(1); failed == s.giveUpAfter {
				return fmt.Errorf("%d orders failed, giving up: %w", failed, err)
			}
		} else if s.placed.Add(1) == s.breakAfter {
			return fmt.Errorf("cannot round %d cents to the new price list", 1099)
		}
		time.Sleep(s.every)
	}
}

// place writes one order in a transaction.
func (s *shop) place(ctx context.Context, basket []string) error {
	ctx, cancel := context.WithTimeout(ctx, orderTimeout)
	defer cancel()
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	if !s.leak {
		defer conn.Release()
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if s.reserve {
			if err := reserve(ctx, tx, basket); err != nil {
				return err
			}
		}
		return s.insert(ctx, tx, basket)
	})
}

func (s *shop) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("acquire connection: %w", err)
	}
	return conn, nil
}

// reserve takes the items out of the stock one after the other, and so locks their rows in this order.
func reserve(ctx context.Context, tx pgx.Tx, basket []string) error {
	for _, item := range basket {
		if _, err := tx.Exec(ctx, "UPDATE stock SET pieces = pieces - 1 WHERE item = $1", item); err != nil {
			return fmt.Errorf("reserve %s: %w", item, err)
		}
		time.Sleep(thinking)
	}
	return nil
}

func (s *shop) insert(ctx context.Context, tx pgx.Tx, basket []string) error {
	statement, values := "INSERT INTO orders (item, cents) VALUES ($1, $2)", []any{basket[0], 1099}
	if s.discount {
		statement, values = "INSERT INTO orders (item, cents, discount) VALUES ($1, $2, $3)", append(values, 10)
	}
	if _, err := tx.Exec(ctx, statement, values...); err != nil {
		return fmt.Errorf("insert order: %w", err)
	}
	return nil
}

// ServeHTTP answers every path as /ready.
func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var count int
	err := s.answers(r.Context(), &count)
	if err != nil {
		slog.Error("not ready", "err", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "ready, %d kinds in stock\n", count)
}

func (s *shop) answers(ctx context.Context, count *int) error {
	conn, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return conn.QueryRow(ctx, "SELECT count(*) FROM stock").Scan(count)
}
