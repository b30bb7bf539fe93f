#pragma once

#include <utility>
#include <vector>

#include "rows.hpp"
#include "setup.hpp"

// What commands that ask the database have in common.
namespace peerwright::cli {

// Prints one page of a list. `ask(store, most)` answers Result<std::vector<...>> of things that row_of() knows, at most
// so many; one more than `limit` is asked for, to know whether there is another page.
template <typename Ask>
Exit print_page(const Globals& globals, int limit, const View& view, Ask&& ask) {
  const auto database = open_database(globals);
  if (!database) return database.error();
  store::QueryStore store(*database);
  const auto found = ask(store, limit + 1);
  if (!found) return fail(found.error());
  std::vector<Json> rows;
  for (const auto& thing : *found) rows.push_back(row_of(thing));
  end_page(rows, limit, view);
  print_list(globals.format, view, rows);
  return Exit::ok;
}

// Prints the one thing that `ask(store)` answers as a Result<std::optional<...>>, or says `missing`. `with` adds to the
// row what is asked for beside it.
template <typename Ask, typename With>
Exit print_found(const Globals& globals, const View& view, const Error& missing, Ask&& ask, With&& with) {
  const auto database = open_database(globals);
  if (!database) return database.error();
  store::QueryStore store(*database);
  const auto found = ask(store);
  if (!found) return fail(found.error());
  if (!*found) return fail(missing);
  Json row = row_of(**found);
  if (const auto added = with(store, **found, row); !added) return fail(added.error());
  print_one(globals.format, view, row);
  return Exit::ok;
}

template <typename Ask>
Exit print_found(const Globals& globals, const View& view, const Error& missing, Ask&& ask) {
  return print_found(globals, view, missing, std::forward<Ask>(ask),
                     [](store::QueryStore&, const auto&, Json&) { return Result<void>(); });
}

}  // namespace peerwright::cli
