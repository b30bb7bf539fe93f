------------------------------- MODULE Intake -------------------------------
(* Intake, holds, timers and the outbox publisher of docs/architecture.md.                                            *)
(* Two specifications share this file: Spec (broker log -> intake -> holds, fan-out, timers) and OSpec (outbox). *)
(* Every safeguard has a name; a configuration removes some by listing them in Off. Off = {} is the design with  *)
(* the mends of README.md      ; AsWorded names the mends, so Off <- AsWorded is the text as it stands.          *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS Workers, Parts, Peers,   \* partitions and peers are 1..n; all peers belong to the one subscriber
          Msgs,                    \* what the sources send: a sequence, the index is the id, one source's order is the index order
          Off,                     \* safeguards removed
          Timed,                   \* TRUE: the clock runs while workers read; FALSE: all is published first, a tick per message
          MaxNow, Term, MaxLag,    \* last tick; suspension until release and life of a reservation; brokers' clocks behind the database's
          Horizon,                 \* how long the inbox remembers; 99 = for ever
          Reserved,                \* peers that begin as reservations made at 0
          Ids, Unproducible        \* outbox: how many rows, and those that the broker refuses

VARIABLES log, left, now,                      \* broker: partitions, copies yet to be sent, clock
          next, inbox, st, chk, mark, hz, dl,  \* database (chk: a chunk that was read but not written)
          pos, txn, ask, up,                   \* workers: believed offset, open transaction, end offsets asked, upgraded
          eff, done, bad,                      \* what the properties need: effects per id, ids ever settled, a wrong timer
          ob                                   \* outbox
ivars == <<log, left, now, next, inbox, st, chk, mark, hz, dl, pos, txn, ask, up, eff, done, bad>>
vars == <<ivars, ob>>

On(g) == g \notin Off
Owners == {"bill", "sec"}
N == 1..Len(Msgs)
Max(a, b) == IF a > b THEN a ELSE b
MaxOf(S) == CHOOSE x \in S : \A y \in S : x >= y
MinOf(S) == CHOOSE x \in S : \A y \in S : x <= y

(* Readings of the design that the model needed; see README.md              *)
AsWorded == {"resumeStored", "revokeAny", "monoTs", "gateCommit", "margin", "horizonPos", "keptFresh", "blockUnreadable", "updBehind",
             "chainOrder", "auditStub"}

-----------------------------------------------------------------------------
(* Messages. seq 0: none. ver 2: unknown until the worker is upgraded (kept). ver 3: fails until mended (dead letter). *)
M(src, kind, k, seq, ver, copies, parts) ==
  [src |-> src, kind |-> kind, k |-> k, seq |-> seq, ver |-> ver, copies |-> copies, parts |-> parts]
Word(m) == Msgs[m].kind \in {"susp", "res"}

(* The order of one source's words. With sequence: that. Else broker's time, partition, offset; below every sequenced word. *)
Key(m, p, i, ts) == IF Msgs[m].seq > 0 THEN 10000 + Msgs[m].seq ELSE 100 * ts + 10 * p + i

NoWord == [key |-> 0, held |-> FALSE, ts |-> 0]
St0 == [reg |-> [o \in Owners |-> NoWord], rev |-> FALSE, rel |-> FALSE, cur |-> 0, known |-> FALSE,
        peer |-> [k \in Peers |-> IF k \in Reserved THEN "resv" ELSE "none"], cfg |-> [k \in Peers |-> 0], val |-> [k \in Peers |-> 0]]
Clear(s) == ~s.rev /\ ~s.rel /\ \A o \in Owners : ~s.reg[o].held
Shown(s) == IF Clear(s) THEN "on" ELSE "off"

-----------------------------------------------------------------------------
(* decide: pure *)
Apply(s, m, key, ts) ==
  LET x == Msgs[m]
      o == IF On("perOwner") THEN x.src ELSE "bill"
      restart == IF On("cursorRestart") \/ s.cur = 0 THEN 1 ELSE s.cur
      unknown == \A k \in Peers : s.peer[k] = "none"
      known(t) == [t EXCEPT !.known = TRUE]
      no == [s |-> known(s), out |-> "refused"]
  IN CASE x.kind \in {"susp", "res"} ->
            IF key <= s.reg[o].key THEN no
            ELSE IF x.kind = "res" /\ ~On("resumeStored") /\ unknown /\ ~s.reg[o].held THEN no
            ELSE [s |-> known([s EXCEPT !.reg[o] = [key |-> key, held |-> x.kind = "susp", ts |-> ts], !.cur = restart]), out |-> "exec"]
       [] x.kind = "rev" ->                                     \* final: no sequence makes it stale
            IF ~On("revokeAny") /\ \E k \in Peers : key < s.cfg[k] THEN no
            ELSE [s |-> known([s EXCEPT !.rev = TRUE, !.cur = restart]), out |-> "exec"]
       [] x.kind = "prov" ->                                    \* born as the holds stand
            IF s.rev \/ s.rel \/ s.peer[x.k] \in {"on", "off", "gone"} \/ (s.peer[x.k] = "resv" /\ ts > Term) THEN no
            ELSE [s |-> known([s EXCEPT !.peer[x.k] = Shown(s), !.cfg[x.k] = key, !.val[x.k] = m]), out |-> "exec"]
       [] x.kind = "upd" ->
            IF s.peer[x.k] \notin {"on", "off"} \/ key <= s.cfg[x.k] THEN no
            ELSE [s |-> known([s EXCEPT !.cfg[x.k] = key, !.val[x.k] = m]), out |-> "exec"]

(* One message inside a transaction: inbox, horizon, kept, dead, decide. a: state, inbox, effects, settled, dead letters *)
Settle(a, w, m, p, i, ts) ==
  LET x == Msgs[m]
      key == Key(m, p, i, ts)
      row(out) == [out |-> out, key |-> key, ts |-> ts]
      waits == On("updBehind") /\ x.kind = "upd" /\ \E n \in N : n # m /\ Msgs[n].k = x.k /\ a.inbox[n].out \in {"kept", "dead"}
  IN IF x.kind = "bad" THEN [a EXCEPT !.dl[m] = @ + 1, !.done = @ \cup {m}]            \* no id can be read: no inbox row
     ELSE IF On("inbox") /\ a.inbox[m].out # "none" THEN a
     ELSE IF ts < hz THEN a                                                           \* stale: counted, nothing written
     ELSE IF (x.ver = 2 /\ w \notin up) \/ waits THEN [a EXCEPT !.inbox[m] = row("kept"), !.done = @ \cup {m}]
     ELSE IF x.ver = 3 /\ w \notin up THEN [a EXCEPT !.inbox[m] = row("dead"), !.done = @ \cup {m}]
     ELSE LET r == Apply(a.s, m, key, ts)
          IN [a EXCEPT !.s = r.s, !.inbox[m] = row(r.out), !.eff[m] = @ + (IF r.out = "exec" THEN 1 ELSE 0), !.done = @ \cup {m}]

RECURSIVE Fold(_, _, _, _, _)
Fold(a, w, p, i, last) ==
  IF i > last THEN a ELSE Fold(Settle(a, w, log[p][i].m, p, i, log[p][i].ts), w, p, i + 1, last)

-----------------------------------------------------------------------------
Idle == [ph |-> "idle"]
IInit ==
  /\ log = [p \in Parts |-> <<>>] /\ left = [m \in N |-> Msgs[m].copies] /\ now = 0
  /\ next = [p \in Parts |-> 0] /\ inbox = [m \in N |-> [out |-> "none", key |-> 0, ts |-> 0]]
  /\ st = St0 /\ chk = <<>> /\ mark = [p \in Parts |-> -1] /\ hz = 0 /\ dl = [m \in N |-> 0]
  /\ pos = [w \in Workers |-> [p \in Parts |-> 0]] /\ txn = [w \in Workers |-> Idle]
  /\ ask = [w \in Workers |-> [p \in Parts |-> [t |-> -1, e |-> 0]]] /\ up = {}
  /\ eff = [m \in N |-> 0] /\ done = {} /\ bad = FALSE
Init == IInit /\ ob = <<>>

Sent(m) == left[m] < Msgs[m].copies
Published == Timed \/ \A m \in N : left[m] = 0
DB == <<next, inbox, st, chk, mark, hz, dl>>
WK == <<pos, txn, ask, up>>
GH == <<eff, done, bad>>

(* A source sends in its own order, to any partition it may use, and may send a copy again at any later time. *)
Publish(m, p) ==
  /\ left[m] > 0 /\ p \in Msgs[m].parts
  /\ \A n \in N : n < m /\ Msgs[n].src = Msgs[m].src => Sent(n)
  /\ \E lag \in 0..MaxLag :
       LET raw == Max(now - lag, 0)
           prev == IF log[p] = <<>> THEN 0 ELSE log[p][Len(log[p])].ts
           ts == IF On("monoTs") THEN Max(raw, prev) ELSE raw      \* a new leader's clock may be behind the old one's
       IN log' = [log EXCEPT ![p] = Append(@, [m |-> m, ts |-> ts])]
  /\ left' = [left EXCEPT ![m] = @ - 1]
  /\ now' = IF Timed THEN now ELSE now + 1
  /\ UNCHANGED <<DB, WK, GH, ob>>
Tick == Timed /\ now < MaxNow /\ now' = now + 1 /\ UNCHANGED <<log, left, DB, WK, GH, ob>>

-----------------------------------------------------------------------------
(* One batch. Any worker may believe that it owns any partition. *)
Open(w) == txn[w].ph # "idle"
Ids2(w) == IF Open(w) THEN {log[txn[w].p][i].m : i \in txn[w].from + 1 .. txn[w].from + txn[w].n} ELSE {}
Locks(v) == txn[v].ph = "locked" /\ txn[v].lock
RowFree(w) == \A v \in Workers \ {w} : ~Locks(v)
NoLock == \A v \in Workers : ~Locks(v)

(* UPDATE intake ... AND next_offset = old, then the inbox rows: both wait for an open transaction that holds the same row. *)
Begin(w, p, n) ==
  /\ Published /\ ~Open(w) /\ pos[w][p] + n <= Len(log[p])
  /\ On("cas") => next[p] = pos[w][p]
  /\ \A v \in Workers \ {w} : Open(v) =>
       /\ txn[v].p # p
       /\ On("inbox") => Ids2(v) \cap {log[p][i].m : i \in pos[w][p] + 1 .. pos[w][p] + n} = {}
  /\ txn' = [txn EXCEPT ![w] = [ph |-> "begun", p |-> p, from |-> pos[w][p], n |-> n]]
  /\ UNCHANGED <<log, left, now, DB, pos, ask, up, GH, ob>>

(* Insert what is absent, then lock, then load. Without the insert an absent row cannot be locked. *)
Lock(w) ==
  /\ txn[w].ph = "begun"
  /\ LET lock == On("identFirst") \/ st.known
     IN /\ lock => RowFree(w)
        /\ txn' = [txn EXCEPT ![w] = [ph |-> "locked", p |-> @.p, from |-> @.from, n |-> @.n, lock |-> lock, snap |-> st]]
  /\ UNCHANGED <<log, left, now, DB, pos, ask, up, GH, ob>>

(* Store only what this transaction changed: rows of their own. *)
Merge(db, old, new) ==
  [reg |-> [o \in Owners |-> IF new.reg[o] # old.reg[o] THEN new.reg[o] ELSE db.reg[o]],
   rev |-> db.rev \/ new.rev, rel |-> db.rel \/ new.rel, known |-> db.known \/ new.known,
   cur |-> IF new.cur # old.cur THEN new.cur ELSE db.cur,
   peer |-> [k \in Peers |-> IF new.peer[k] # old.peer[k] THEN new.peer[k] ELSE db.peer[k]],
   cfg |-> [k \in Peers |-> IF new.cfg[k] # old.cfg[k] THEN new.cfg[k] ELSE db.cfg[k]],
   val |-> [k \in Peers |-> IF new.val[k] # old.val[k] THEN new.val[k] ELSE db.val[k]]]

Commit(w) ==
  /\ txn[w].ph = "locked"
  /\ LET t == txn[w]
         a == Fold([s |-> t.snap, inbox |-> inbox, eff |-> eff, done |-> done, dl |-> dl], w, t.p, t.from + 1, t.from + t.n)
         clash == On("reload23505") /\ ~t.lock /\ st.known      \* our insert of the row meets the other's: roll back, decide again
     IN IF clash THEN UNCHANGED <<DB, GH, pos>>
        ELSE /\ st' = Merge(st, t.snap, a.s)
             /\ inbox' = a.inbox /\ eff' = a.eff /\ done' = a.done /\ dl' = a.dl
             /\ next' = [next EXCEPT ![t.p] = t.from + t.n]
             /\ \/ pos' = [pos EXCEPT ![w][t.p] = t.from + t.n]
                \/ UNCHANGED pos                                \* COMMIT in doubt: done, but the worker will replay
             /\ UNCHANGED <<chk, mark, hz, bad>>
  /\ txn' = [txn EXCEPT ![w] = Idle]
  /\ UNCHANGED <<log, left, now, ask, up, ob>>

Abort(w) == Open(w) /\ txn' = [txn EXCEPT ![w] = Idle] /\ UNCHANGED <<log, left, now, DB, pos, ask, up, GH, ob>>

(* Lost the compare-and-set, restarted, or was assigned the partition: read the stored offset. *)
Seek(w, p) ==
  /\ Published /\ ~Open(w) /\ pos[w][p] # next[p]
  /\ pos' = [pos EXCEPT ![w][p] = next[p]]
  /\ ask' = [ask EXCEPT ![w][p] = [t |-> -1, e |-> 0]]
  /\ UNCHANGED <<log, left, now, DB, txn, up, GH, ob>>

-----------------------------------------------------------------------------
(* A subscriber's word reaches its peers in chunks of one. A chunk locks the subscriber, so it is one step. *)
Chunk ==
  /\ On("chunkLock") /\ st.cur > 0 /\ NoLock
  /\ st' = [st EXCEPT !.peer[st.cur] = IF @ \in {"on", "off"} THEN Shown(st) ELSE @,
                      !.cur = IF st.cur = Cardinality(Peers) THEN 0 ELSE st.cur + 1]
  /\ UNCHANGED <<log, left, now, next, inbox, chk, mark, hz, dl, WK, GH, ob>>
ChunkRead ==
  /\ ~On("chunkLock") /\ st.cur > 0 /\ chk = <<>> /\ chk' = <<st.cur, Shown(st)>>
  /\ UNCHANGED <<log, left, now, next, inbox, st, mark, hz, dl, WK, GH, ob>>
ChunkWrite ==
  /\ chk # <<>> /\ chk' = <<>> /\ NoLock
  /\ st' = [st EXCEPT !.peer[chk[1]] = IF @ \in {"on", "off"} THEN chk[2] ELSE @,
                      !.cur = IF chk[1] = Cardinality(Peers) THEN 0 ELSE chk[1] + 1]
  /\ UNCHANGED <<log, left, now, next, inbox, mark, hz, dl, WK, GH, ob>>

-----------------------------------------------------------------------------
(* Kept events after an upgrade, dead letters after a repair: at their first position. *)
Upgrade(w) == w \notin up /\ Published /\ (\E m \in N : Msgs[m].ver > 1) /\ ~Open(w) /\ up' = up \cup {w}
              /\ UNCHANGED <<log, left, now, DB, pos, txn, ask, GH, ob>>
ReplayOne(m) ==
  /\ inbox[m].out \in {"kept", "dead"} /\ up # {} /\ NoLock
  /\ \A n \in N : n < m /\ Msgs[n].k = Msgs[m].k => inbox[n].out \notin {"kept", "dead"}       \* those of a subject in order
  /\ \A v \in Workers : m \notin Ids2(v)
  /\ IF ~On("keptFresh") /\ inbox[m].ts < hz
     THEN inbox' = [inbox EXCEPT ![m].out = "none"] /\ done' = done \ {m} /\ UNCHANGED <<st, eff>>   \* stale: dropped
     ELSE LET r == Apply(st, m, inbox[m].key, inbox[m].ts)
          IN /\ st' = r.s /\ inbox' = [inbox EXCEPT ![m].out = r.out]
             /\ eff' = [eff EXCEPT ![m] = @ + (IF r.out = "exec" THEN 1 ELSE 0)] /\ UNCHANGED done
  /\ UNCHANGED <<log, left, now, next, chk, mark, hz, dl, WK, bad, ob>>

(* The horizon moves and inbox rows behind it go. By the clock, or by the oldest place that intake has not yet read. *)
Evict ==
  LET read == {IF next[p] = Len(log[p]) THEN now ELSE log[p][next[p] + 1].ts : p \in Parts}
      h == (IF On("horizonPos") THEN MinOf(read) ELSE now) - Horizon
  IN /\ h > hz /\ hz' = h
     /\ inbox' = [m \in N |-> IF inbox[m].ts < h /\ inbox[m].out \in {"exec", "refused"} THEN [out |-> "none", key |-> 0, ts |-> 0] ELSE inbox[m]]
     /\ \A w \in Workers : ~Open(w)
     /\ UNCHANGED <<log, left, now, next, st, chk, mark, dl, WK, GH, ob>>

-----------------------------------------------------------------------------
(* Timers. A worker asks the broker for the end of a partition, and later marks it caught up as of the time of asking. *)
Ask(w, p) == Timed /\ now >= Term /\ ask[w][p] # [t |-> now, e |-> Len(log[p])] /\ ask' = [ask EXCEPT ![w][p] = [t |-> now, e |-> Len(log[p])]]
             /\ UNCHANGED <<log, left, now, DB, pos, txn, up, GH, ob>>
Fetched(w, p) == pos[w][p] + (IF Open(w) /\ txn[w].p = p THEN txn[w].n ELSE 0)
Mark(w, p) ==
  /\ Timed /\ ask[w][p].t > mark[p]
  /\ IF On("gateCommit") THEN pos[w][p] >= ask[w][p].e /\ next[p] = pos[w][p] ELSE Fetched(w, p) >= ask[w][p].e
  /\ mark' = [mark EXCEPT ![p] = ask[w][p].t]
  /\ UNCHANGED <<log, left, now, next, inbox, st, chk, hz, dl, WK, GH, ob>>
Gate(due) == On("gate") => \A p \in Parts : mark[p] >= due + (IF On("margin") THEN MaxLag ELSE 0)
Blocked(match(_)) == /\ On("keptBlock")
                     /\ \E m \in N : \/ inbox[m].out \in {"kept", "dead"} /\ match(m)
                                     \/ On("blockUnreadable") /\ dl[m] > 0
(* Would m, sent before the timer fell due and not yet heard, have prevented it? *)
Unheard(m, due) == (\E p \in Parts : \E i \in 1..Len(log[p]) : log[p][i].m = m /\ log[p][i].ts < due) /\ eff[m] = 0 /\ inbox[m].out # "refused"

(* Dunning: billing's suspension, unpaid for Term, releases the subscriber. What a "bad" message would have said: a payment. *)
Release ==
  LET r == st.reg["bill"]
      due == r.ts + Term
      pays(m) == Msgs[m].src = "bill" /\ Msgs[m].kind \in {"res", "bad"}
                 /\ (Msgs[m].seq = 0 \/ 10000 + Msgs[m].seq > r.key)
  IN /\ Timed /\ r.held /\ ~st.rel /\ now >= due /\ Gate(due) /\ NoLock /\ ~Blocked(LAMBDA m : Word(m))
     /\ st' = [st EXCEPT !.rel = TRUE, !.cur = 1]
     /\ bad' = (bad \/ \E m \in N : pays(m) /\ Unheard(m, due))
     /\ UNCHANGED <<log, left, now, next, inbox, chk, mark, hz, dl, WK, eff, done, ob>>
Expire(k) ==
  LET brings(m) == Msgs[m].kind = "prov" /\ Msgs[m].k = k
  IN /\ Timed /\ st.peer[k] = "resv" /\ now > Term /\ Gate(Term + 1) /\ NoLock /\ ~Blocked(brings)
     /\ st' = [st EXCEPT !.peer[k] = "gone", !.known = TRUE]
     /\ bad' = (bad \/ \E m \in N : brings(m) /\ Unheard(m, Term + 1))
     /\ UNCHANGED <<log, left, now, next, inbox, chk, mark, hz, dl, WK, eff, done, ob>>

Next == \/ \E m \in N, p \in Parts : Publish(m, p)
        \/ Tick
        \/ \E w \in Workers : \/ \E p \in Parts : \/ \E n \in 1..2 : Begin(w, p, n)
                                                  \/ Seek(w, p) \/ Ask(w, p) \/ Mark(w, p)
                              \/ Lock(w) \/ Commit(w) \/ Abort(w) \/ Upgrade(w)
        \/ Chunk \/ ChunkRead \/ ChunkWrite
        \/ \E m \in N : ReplayOne(m)
        \/ Horizon < 99 /\ Evict
        \/ Release \/ \E k \in Peers : Expire(k)
Spec == Init /\ [][Next]_vars

-----------------------------------------------------------------------------
(* Properties of intake *)
Quiet == /\ \A m \in N : left[m] = 0
         /\ \A p \in Parts : next[p] = Len(log[p])
         /\ \A w \in Workers : ~Open(w)
         /\ st.cur = 0 /\ chk = <<>>
Counts(m) == m \in done /\ inbox[m].out \notin {"kept", "dead"}

I1 == \A m \in N : eff[m] <= 1 /\ dl[m] <= Msgs[m].copies

(* The oracle: one owner's words in order of sequence; of several that count the greatest speaks. *)
Words(o) == {m \in N : Word(m) /\ Msgs[m].src = o /\ Counts(m)}
OHeld(o) == Words(o) # {} /\ Msgs[CHOOSE m \in Words(o) : \A n \in Words(o) : Msgs[n].seq <= Msgs[m].seq].kind = "susp"
ORev == \E m \in N : Msgs[m].kind = "rev" /\ Counts(m)
OProv(k) == \E m \in N : Msgs[m].kind = "prov" /\ Msgs[m].k = k /\ Counts(m)
I2 == Quiet => /\ \A o \in Owners : st.reg[o].held = OHeld(o)
               /\ st.rev = ORev
               /\ \A k \in Peers : ~ORev /\ ~st.rel /\ k \notin Reserved => (OProv(k) <=> st.peer[k] \in {"on", "off"})
(* Configuration: provision and later update, in order of sequence. *)
I2cfg == Quiet => \A k \in Peers :
           LET C == {m \in N : Msgs[m].kind \in {"prov", "upd"} /\ Msgs[m].k = k /\ Counts(m)}
           IN ~ORev /\ C # {} /\ OProv(k) => st.val[k] = CHOOSE m \in C : \A n \in C : Msgs[n].seq <= Msgs[m].seq
I3 == /\ Quiet => \A k \in Peers : st.peer[k] \in {"on", "off"} => st.peer[k] = Shown(st)
      /\ Quiet /\ ~ORev /\ ~st.rel => \A k \in Peers : st.peer[k] = "off" => \E o \in Owners : OHeld(o)
Final == [][(st.rev => st'.rev) /\ (st.rel => st'.rel)]_vars
I4 == [][\A p \in Parts : next'[p] >= next[p]]_vars
I5 == ~bad
I7 == Quiet => \A m \in N : m \in done

(* Without sequence: the last sent speaks; or at least the same log gives the same answer, by each event's earliest copy. *)
First(m) == MinOf({100 * log[p][i].ts + 10 * p + i : <<p, i>> \in {<<q, j>> \in Parts \X (1..9) : j <= Len(log[q]) /\ log[q][j].m = m}})
Says(o, rank(_)) == Msgs[CHOOSE m \in Words(o) : \A n \in Words(o) : rank(n) <= rank(m)].kind = "susp"
LastSent == Quiet => \A o \in Owners : Words(o) # {} => st.reg[o].held = Says(o, LAMBDA m : m)
ByLog == Quiet => \A o \in Owners : Words(o) # {} => st.reg[o].held = Says(o, First)
NeverQuiet == ~Quiet                                            \* must fail: shows that the rest is not empty talk
NeverReleased == ~st.rel
NeverReplayed == \A m \in N : Msgs[m].ver > 1 => eff[m] = 0

-----------------------------------------------------------------------------
(* Scenarios *)
P12 == {1, 2}
SeqHolds == << M("bill", "susp", 0, 1, 1, 1, P12), M("bill", "res", 0, 2, 1, 2, P12), M("sec", "susp", 0, 1, 1, 1, P12),
               M("bill", "prov", 1, 3, 1, 1, {1}) >>
SeqFan == << M("bill", "prov", 1, 1, 1, 1, {1}), M("bill", "susp", 0, 2, 1, 1, P12), M("bill", "res", 0, 3, 1, 1, {2}),
             M("sec", "prov", 2, 1, 1, 1, {1}) >>
SeqRev == << M("bill", "rev", 0, 1, 1, 1, P12), M("bill", "prov", 1, 2, 1, 2, P12), M("bill", "res", 0, 3, 1, 1, P12) >>
Bad2 == << M("bill", "bad", 0, 0, 1, 1, {1}), M("bill", "susp", 0, 1, 1, 1, P12), M("bill", "prov", 1, 2, 1, 1, {1}) >>
KeptSc == << M("bill", "susp", 0, 1, 3, 2, P12), M("bill", "res", 0, 2, 2, 1, {2}), M("bill", "prov", 1, 3, 1, 1, {1}) >>
KeptCfg == << M("bill", "prov", 1, 1, 2, 1, {1}), M("bill", "upd", 1, 2, 1, 1, {1}) >>
SplitCfg == << M("bill", "prov", 1, 1, 1, 1, {1}), M("bill", "upd", 1, 2, 1, 1, {2}) >>
Free == << M("bill", "susp", 0, 0, 1, 1, P12), M("bill", "res", 0, 0, 1, 1, P12), M("bill", "prov", 1, 0, 1, 1, {1}) >>
FreeDup == << M("bill", "susp", 0, 0, 1, 2, P12), M("bill", "res", 0, 0, 1, 1, {1}) >>
FreePart == << M("sec", "susp", 0, 0, 1, 1, {1}), M("bill", "susp", 0, 0, 1, 2, {1}), M("bill", "res", 0, 0, 1, 1, {1}) >>
RevDup == << M("bill", "rev", 0, 1, 1, 2, P12), M("bill", "prov", 1, 2, 1, 1, P12) >>
FreeOnce == << M("bill", "susp", 0, 0, 1, 1, {1}), M("bill", "res", 0, 0, 1, 1, {1}) >>
FreeOne == << M("bill", "susp", 0, 0, 1, 2, {1}), M("bill", "res", 0, 0, 1, 2, {1}), M("sec", "susp", 0, 0, 1, 1, {2}), M("bill", "prov", 1, 0, 1, 1, {1}) >>
Mix == << M("bill", "susp", 0, 5, 1, 1, {2}), M("bill", "res", 0, 0, 1, 1, {1}) >>
Pay == << M("bill", "susp", 0, 1, 1, 1, {1}), M("bill", "res", 0, 2, 1, 1, {2}) >>
PayKept == << M("bill", "susp", 0, 1, 1, 1, {1}), M("bill", "res", 0, 2, 2, 1, {2}) >>
PayDead == << M("bill", "susp", 0, 1, 1, 1, {1}), M("bill", "res", 0, 2, 3, 1, {2}) >>
PayBad == << M("bill", "susp", 0, 1, 1, 1, {1}), M("bill", "bad", 0, 0, 1, 1, {2}) >>
Resv == << M("bill", "prov", 1, 1, 1, 1, P12) >>
ResvKept == << M("bill", "prov", 1, 1, 2, 1, P12) >>
FreeOld == << M("bill", "susp", 0, 0, 1, 2, {1}), M("bill", "res", 0, 0, 1, 1, {1}) >>
SeqOld == << M("bill", "susp", 0, 1, 1, 2, {1}), M("bill", "res", 0, 2, 1, 1, {1}) >>
KeptOld == << M("bill", "susp", 0, 1, 2, 1, {1}) >>

-----------------------------------------------------------------------------
(* The outbox: two writers, two publishers. A writer's commit leaves a status row and an audit row of the same id; ids *)
(* are drawn before the commit, so an audit row with a lower id may appear after one with a higher id.                 *)
Subj == {"a", "b"}
Pubs == {1, 2}
Off0 == [ph |-> "off", ep |-> 0, head |-> 0, ids |-> {}, list |-> <<>>]
OInit == IInit /\ ob = [rows |-> {}, nid |-> 0, wr |-> [i \in 1..2 |-> [s |-> "", id |-> 0]], ver |-> [s \in Subj |-> 0],
                        head |-> [no |-> 0, id |-> 0], ep |-> 0, pub |-> [w \in Pubs |-> Off0], sT |-> <<>>, sA |-> <<>>, parked |-> {}]

Draw(i, s) ==                                                   \* under the lock of the subject
  /\ ob.wr[i].id = 0 /\ ob.nid < Ids
  /\ On("idUnderLock") => \A j \in 1..2 : ob.wr[j].s # s
  /\ ob' = [ob EXCEPT !.nid = @ + 1, !.wr[i] = [s |-> s, id |-> ob.nid + 1]]
Write(i) ==
  LET x == ob.wr[i]  v == ob.ver[x.s] + 1
      row(kind) == [id |-> x.id, kind |-> kind, s |-> x.s, v |-> v, chain |-> 0, prev |-> 0]
  IN /\ x.id > 0
     /\ ob' = [ob EXCEPT !.rows = @ \cup {row("status"), row("audit")}, !.ver[x.s] = v, !.wr[i] = [s |-> "", id |-> 0]]

Take(w) == ob.pub[w].ph = "off" /\ ob.ep < 3                    \* the lease: whoever drew the last number holds it
           /\ ob' = [ob EXCEPT !.ep = @ + 1, !.pub[w] = [Off0 EXCEPT !.ph = "ready", !.ep = ob.ep + 1]]
Crash(w) == ob.pub[w].ph # "off" /\ ob' = [ob EXCEPT !.pub[w] = Off0]

(* Link: read the head and what is not linked; then write the links in a commit that also checks the lease. *)
LinkRead(w) ==
  /\ ob.pub[w].ph = "ready" /\ ob.pub[w].ep = ob.ep
  /\ ob.rows # {}
  /\ ob' = [ob EXCEPT !.pub[w].ph = "link", !.pub[w].head = ob.head, !.pub[w].ids = {r.id : r \in {q \in ob.rows : q.kind = "audit" /\ q.chain = 0}}]
LinkWrite(w) ==
  LET b == ob.pub[w]
      no(id) == b.head.no + Cardinality({j \in b.ids : j <= id})
      before(id) == LET S == {j \in b.ids : j < id} IN IF S = {} THEN b.head.id ELSE MaxOf(S)
      linked == {IF r.kind = "audit" /\ r.id \in b.ids THEN [r EXCEPT !.chain = no(r.id), !.prev = before(r.id)] ELSE r : r \in ob.rows}
  IN /\ b.ph = "link"
     /\ ob' = IF (On("leaseFence") /\ b.ep # ob.ep) \/ (On("headCas") /\ b.head # ob.head) THEN [ob EXCEPT !.pub[w] = Off0]
              ELSE [ob EXCEPT !.rows = linked, !.pub[w].ph = "linked",
                              !.head = IF b.ids = {} THEN @ ELSE [no |-> no(MaxOf(b.ids)), id |-> MaxOf(b.ids)]]

Place(r) == IF r.kind = "status" THEN 2 * r.id ELSE IF On("chainOrder") THEN 100 + r.chain ELSE 2 * r.id + 1
RECURSIVE Sorted(_)
Sorted(S) == IF S = {} THEN <<>> ELSE LET x == CHOOSE r \in S : \A q \in S : Place(r) <= Place(q) IN <<x>> \o Sorted(S \ {x})
SendRead(w) ==
  /\ ob.pub[w].ph = "linked"
  /\ ob' = [ob EXCEPT !.pub[w].ph = "send", !.pub[w].list = Sorted({r \in ob.rows : r.kind = "status" \/ r.chain > 0})]
Produce(w) ==
  LET r == Head(ob.pub[w].list)  refused == r.id \in Unproducible
      msg == IF r.kind = "status" THEN [s |-> r.s, v |-> r.v] ELSE [chain |-> r.chain, id |-> r.id, prev |-> r.prev]
  IN /\ ob.pub[w].ph = "send" /\ ob.pub[w].list # <<>>
     /\ ob' = [ob EXCEPT !.pub[w].ph = "acked",
                         !.sT = IF r.kind = "status" /\ ~refused THEN Append(@, msg) ELSE @,
                         !.sA = IF r.kind = "audit" /\ (~refused \/ On("auditStub")) THEN Append(@, msg) ELSE @,
                         !.parked = IF refused /\ r.kind = "status" THEN @ \cup {<<r.s, r.v>>} ELSE @]
Delete(w) ==
  LET r == Head(ob.pub[w].list) IN
  /\ ob.pub[w].ph = "acked"
  /\ ob' = [ob EXCEPT !.rows = {q \in @ : q.id # r.id \/ q.kind # r.kind}, !.pub[w].list = Tail(@), !.pub[w].ph = "send"]
Round(w) == ob.pub[w].ph = "send" /\ ob.pub[w].list = <<>> /\ ob' = [ob EXCEPT !.pub[w].ph = "ready"]

ONext == /\ \/ \E i \in 1..2 : Write(i) \/ \E s \in Subj : Draw(i, s)
            \/ \E w \in Pubs : Take(w) \/ Crash(w) \/ LinkRead(w) \/ LinkWrite(w) \/ SendRead(w) \/ Produce(w) \/ Delete(w) \/ Round(w)
         /\ UNCHANGED ivars
OSpec == OInit /\ [][ONext]_vars

OQuiet == ob.rows = {} /\ ob.nid = Ids /\ (\A i \in 1..2 : ob.wr[i].id = 0) /\ \A w \in Pubs : ob.pub[w].ph \in {"off", "ready"}
At(seq) == 1..Len(seq)
Of(s) == {i \in At(ob.sT) : ob.sT[i].s = s}
I6newest == OQuiet => \A s \in Subj : ob.ver[s] > 0 /\ <<s, ob.ver[s]>> \notin ob.parked => \E i \in Of(s) : ob.sT[i].v = ob.ver[s]
(* In order per subject, apart from repetitions: nothing new comes after something newer. *)
I6order == \A s \in Subj : \A i \in Of(s) : (\A j \in Of(s) : j < i => ob.sT[j].v # ob.sT[i].v) => \A j \in Of(s) : j < i => ob.sT[j].v < ob.sT[i].v
I6naive == OQuiet => \A s \in Subj : Of(s) # {} => ob.sT[MaxOf(Of(s))].v = ob.ver[s]       \* a consumer that ignores versions
I6fork == \A i, j \in At(ob.sA) : /\ (ob.sA[i].chain = ob.sA[j].chain) = (ob.sA[i].id = ob.sA[j].id)
                                  /\ ob.sA[j].chain = ob.sA[i].chain + 1 => ob.sA[j].prev = ob.sA[i].id
I6gap == \A j \in At(ob.sA) : \A c \in 1..ob.sA[j].chain - 1 : \E i \in 1..j - 1 : ob.sA[i].chain = c
ONeverQuiet == ~(OQuiet /\ ob.ep = 3)
=============================================================================
