<<<<<<<< HEAD:dashboard-ui/dist/assets/first-steps-CvfDlYQp.js
<<<<<<<< HEAD:dashboard-ui/dist/assets/first-steps-DAS81x84.js
import{B as e,Dt as t,F as n,L as r,Wt as i,qt as a}from"./index-CBrA45Rk.js";import{i as o}from"./base-BWragFCy.js";var s=o(),c=`use axum_durable::prelude::*;
========
import{B as e,Dt as t,F as n,L as r,Wt as i,qt as a}from"./index-CniEyxRN.js";import{i as o}from"./base-BWragFCy.js";var s=o(),c=`use axum_durable::prelude::*;
>>>>>>>> 092ede7 (Tell the schemas of signals and updates before a run begins):dashboard-ui/dist/assets/first-steps-CvfDlYQp.js
========
import{B as e,G as t,H as n,Pt as r,Qt as i,tn as a}from"./index-Df61rear.js";import{i as o}from"./base-BWragFCy.js";var s=o(),c=`use axum_durable::prelude::*;
>>>>>>>> 7d9fd97 (Dashboard: steps under way, a look beside the list, and more to choose):dashboard-ui/dist/assets/first-steps-Dkwks14C.js

#[workflow(name = "greet")]
async fn greet(ctx: &WorkflowCtx, name: String) -> Result<String> {
    ctx.step("greet", async || Ok(format!("hello, {name}"))).await
}`,l=`let durable = Durable::builder()
    .store(SqlStore::connect("sqlite://app.db").await?)
    .register(greet)
    .build()
    .await?;`;function u({n:e,title:n,code:r}){return(0,s.jsxs)(`li`,{className:`flex min-w-0 gap-3`,children:[(0,s.jsx)(`span`,{className:`mt-0.5 flex size-5 shrink-0 items-center justify-center rounded-full bg-accent-soft text-meta font-semibold text-accent`,children:e}),(0,s.jsxs)(`div`,{className:`min-w-0 flex-1`,children:[(0,s.jsx)(`p`,{className:`font-medium`,children:n}),r!==void 0&&(0,s.jsxs)(`div`,{className:`relative mt-2`,children:[(0,s.jsx)(`pre`,{tabIndex:0,className:`overflow-x-auto rounded-card border border-line bg-raised p-3 pr-10 font-mono text-dense`,children:r}),(0,s.jsx)(`div`,{className:`absolute top-1.5 right-1.5`,children:(0,s.jsx)(t,{text:r,label:`Copy the code`})})]})]})]})}function d(){let{data:t=[]}=a(n),o=e(),d=t.length>0,f=o.act&&(0,s.jsx)(`div`,{className:`mt-2 flex flex-wrap gap-2 pl-8`,children:t.map(({name:e})=>(0,s.jsxs)(i,{to:`/runs/new`,search:{workflow:e},className:`inline-flex h-8 items-center gap-1.5 rounded-control border border-accent bg-accent px-3 font-medium text-on-accent`,children:[(0,s.jsx)(r,{"aria-hidden":!0,size:14}),` Start `,e]},e))});return(0,s.jsxs)(`section`,{className:`mx-auto w-full max-w-2xl px-4 py-8`,children:[(0,s.jsx)(`h2`,{className:`text-h1 font-semibold`,children:`No run was ever started here`}),(0,s.jsx)(`p`,{className:`mt-1 mb-6 text-dim`,children:d?`Workflows are registered. Start one from here, or from your code, and watch it get on.`:`A workflow is an async function whose steps are remembered. Three steps lead to the first run.`}),(0,s.jsxs)(`ol`,{className:`flex flex-col gap-5`,children:[!d&&(0,s.jsx)(u,{n:1,title:`Define a workflow`,code:c}),!d&&(0,s.jsx)(u,{n:2,title:`Register it`,code:l}),(0,s.jsx)(u,{n:d?1:3,title:`Start a run from a handler`,code:`let run = durable.start(${t[0]?.name.replaceAll(/[^a-z0-9]+/gi,`_`)??`greet`}, input).await?;`}),d&&o.act&&(0,s.jsxs)(`li`,{children:[(0,s.jsxs)(`p`,{className:`flex items-center gap-3 font-medium`,children:[(0,s.jsx)(`span`,{className:`flex size-5 items-center justify-center rounded-full bg-accent-soft text-meta font-semibold text-accent`,children:`2`}),`Or start one now`]}),f]})]})]})}export{d as t};