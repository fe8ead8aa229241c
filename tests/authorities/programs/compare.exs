# Elixir's order of versions, which Hex uses.
sign = %{lt: "<", eq: "=", gt: ">"}

for line <- IO.stream(:stdio, :line) do
  [left, right] = line |> String.trim_trailing("\n") |> String.split("\t")

  case {Version.parse(left), Version.parse(right)} do
    {{:ok, left}, {:ok, right}} -> IO.puts(sign[Version.compare(left, right)])
    _ -> IO.puts("!")
  end
end
