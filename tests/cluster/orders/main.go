// Command orders is a service that keeps orders in PostgreSQL, for tests with a real database: what it logs of it is what
// the driver says. Its faults are those that services have, and are chosen by environment variables.
//
//	orders                 serve until SIGTERM
//	orders migrate SQL...  carry out statements one after the other, and end
//
//	DATABASE_URL              the database, with user and password
//	ORDERS_POOL               most connections of the pool, all opened at the start (2)
//	ORDERS_CUSTOMERS          how many order at the same time (1)
//	ORDERS_EVERY_MS           how long each of them waits between orders (200)
//	ORDERS_DISCOUNT           "off": the column discount is not written
//	ORDERS_RESERVE            when set, an order takes two items out of the stock as well, in the order in which the
//	                          customer names them: every other customer names them the other way round
//	ORDERS_LEAK               when set, a connection is never given back to the pool
//	ORDERS_GIVE_UP_AFTER      end with code 1 after so many orders that failed (0: never)
//	ORDERS_BREAK_AFTER        end with code 1, for a reason of its own, after so many orders that were placed (0: never)
//
// It listens on port 8080. /ready answers 200 when the database answers a query, else 503.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout is how long the database may take to be there.
const startTimeout = 10 * time.Second

type settings struct {
	url         string
	pool        int
	customers   int
	every       time.Duration
	discount    bool
	reserve     bool
	leak        bool
	giveUpAfter int64
	breakAfter  int64
}

func number(name string, fallback int) int {
	text := os.Getenv(name)
	if text == "" {
		return fallback
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		slog.Error("wrong setting", "name", name, "err", err)
		os.Exit(2)
	}
	return value
}

func fromEnvironment() settings {
	return settings{
		url:         os.Getenv("DATABASE_URL"),
		pool:        number("ORDERS_POOL", 2),
		customers:   number("ORDERS_CUSTOMERS", 1),
		every:       time.Duration(number("ORDERS_EVERY_MS", 200)) * time.Millisecond,
		discount:    os.Getenv("ORDERS_DISCOUNT") != "off",
		reserve:     os.Getenv("ORDERS_RESERVE") != "",
		leak:        os.Getenv("ORDERS_LEAK") != "",
		giveUpAfter: int64(number("ORDERS_GIVE_UP_AFTER", 0)),
		breakAfter:  int64(number("ORDERS_BREAK_AFTER", 0)),
	}
}

// migrate carries out statements as an init container of a new version does.
func migrate(ctx context.Context, url string, statements []string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
		slog.Info("migrated", "statement", statement)
	}
	return nil
}

// serve runs until it is asked to end, or until it gives up.
func serve(ctx context.Context, s settings) error {
	// Many services tell at their start where they connect to, password and all.
	slog.Info("connecting", "url", s.url, "pool", s.pool)
	shop, err := open(ctx, s)
	if err != nil {
		return err
	}
	ended := make(chan error, s.customers+1)
	for customer := range s.customers {
		go func() { ended <- shop.order(ctx, customer) }()
	}
	server := &http.Server{Addr: ":8080", Handler: shop, ReadHeaderTimeout: time.Second}
	go func() { ended <- server.ListenAndServe() }()
	slog.Info("taking orders", "customers", s.customers)
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	s := fromEnvironment()
	var err error
	switch {
	case s.url == "":
		err = errors.New("DATABASE_URL is not set")
	case len(os.Args) > 2 && os.Args[1] == "migrate":
		err = migrate(ctx, s.url, os.Args[2:])
	default:
		err = serve(ctx, s)
	}
	if err != nil {
		slog.Error("ending", "err", err)
		os.Exit(1)
	}
}
